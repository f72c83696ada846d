"""All clauses, held against one endpoint. Knows the order; what is asked is in `over_http.py` and `over_grpc.py`."""

from collections.abc import Iterator

from . import over_grpc, over_http
from .clause import Clause, NotAskedError, NotMetError, Outcome
from .target import Target

CLAUSES: tuple[Clause, ...] = (*over_http.CLAUSES, *over_grpc.CLAUSES)


def run(target: Target) -> Iterator[Outcome]:
    """Every clause for every signal and encoding, over the transports that the endpoint has."""
    for clause in CLAUSES:
        for signal in clause.signals:
            for encoding in clause.encodings:
                yield _ask(target, clause, signal, encoding)


def _ask(target: Target, clause: Clause, signal: str, encoding: str) -> Outcome:
    if not (target.url if clause.transport == "http" else target.grpc):
        return Outcome(clause, signal, encoding, "not asked", f"no address for {clause.transport} was given")
    try:
        clause.check(target, signal, encoding)
    except NotMetError as error:
        return Outcome(clause, signal, encoding, "not met", str(error))
    except NotAskedError as error:
        return Outcome(clause, signal, encoding, "not asked", str(error))
    except Exception as error:  # noqa: BLE001 -- the door to others' servers: no answer, or one that nobody can read
        return Outcome(clause, signal, encoding, "not met", f"{type(error).__name__}: {error}")
    return Outcome(clause, signal, encoding, "met")
