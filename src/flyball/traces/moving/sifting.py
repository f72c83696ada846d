"""Finds the records of a request that cannot be moved: by halves, each tried as a whole, and nothing written.

Knows a request as groups of records; knows not why one cannot be moved. What is tried is bounded, so that a request of many
bad records is not looked at for minutes: those that were not told apart then are set aside together.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from flyball.infra.db.database import Connection
from flyball.kit.redaction import redact
from flyball.traces.aside_store import Unmovable
from flyball.traces.otlp.compression import pack
from flyball.traces.otlp.splitting import Record, records_of, request_of

from .protocol import Rest, Sifted
from .requests import Request
from .troubles import is_outside

Rehearse: TypeAlias = Callable[[Connection, Sequence[Request]], Awaitable[None]]

_LEAST_TRIED = 20_000  # records, however few the request holds: most requests are told apart to the last of them
_TRIED_OF_EACH = 6  # times each record of a large one may be tried
_LONGEST_MESSAGE = 500


class _Bad(NamedTuple):
    records: list[Record]
    error: Exception


async def sift(
    connection: Connection, signal: str, found: Sequence[Request], rehearse: Rehearse, *, whole: Exception | None
) -> Sifted:
    """What of a request, if it was found, can be moved and what cannot. Errors that no record is to blame for are raised."""
    if not found:
        return Sifted(None, [])
    (request,) = found
    if (error := await _fails(connection, rehearse, request)) is None:
        return Sifted(None, [_unmovable(signal, request, request, whole)] if whole else [])
    try:
        records = records_of(request.body)
    except Exception as trouble:  # noqa: BLE001 -- whatever is wrong with it, it is the request's
        return Sifted(None, [_unmovable(signal, request, request, trouble)])
    if len(records) < 2:
        return Sifted(None, [_unmovable(signal, request, request, error)])
    good, bad = await _told_apart(connection, rehearse, request, records, error)
    unmovable = [_unmovable(signal, request, _request_of(request, each.records), each.error) for each in bad]
    rest = _request_of(request, good) if good else None
    return Sifted(Rest(rest.packed, rest.size, rest.records) if rest else None, unmovable)


def unmovable_row(kind: str, row: dict[str, object], error: Exception) -> Unmovable:
    """A row of `inbox` that cannot be moved."""
    body = bytes(row["body"])  # type: ignore[call-overload] # rows have no types
    return Unmovable(
        project=str(row["project"]),
        kind=kind,
        key_id="",
        key=str(row["key"]),
        trace_id=str(row["trace_id"]),
        start_ns=int(str(row["start_ns"])),
        received_ns=int(str(row["received_ns"])),
        records=1,
        size=len(body),
        body=body,
        **_said(error),
    )


async def _told_apart(
    connection: Connection, rehearse: Rehearse, request: Request, records: list[Record], error: Exception
) -> tuple[list[Record], list[_Bad]]:
    """Records that can be moved, in their order, and those that cannot, by what is said of them."""
    work = max(_LEAST_TRIED, _TRIED_OF_EACH * len(records))
    failing, bad = [_Bad(records, error)], []
    while failing:
        group = failing.pop(0)
        if len(group.records) == 1 or work < len(group.records):
            bad.append(group)
            continue
        half, work = len(group.records) // 2, work - len(group.records)
        for part in (group.records[:half], group.records[half:]):
            found = await _fails(connection, rehearse, _request_of(request, part))
            if found is not None:
                failing.append(_Bad(part, found))
    taken = {id(record) for group in bad for record in group.records}
    return [record for record in records if id(record) not in taken], _by_error(bad)


def _by_error(bad: Sequence[_Bad]) -> list[_Bad]:
    """Those that fail alike together, as one request."""
    alike: dict[tuple[type[Exception], str], _Bad] = {}
    for group in bad:
        alike.setdefault((type(group.error), str(group.error)), _Bad([], group.error)).records.extend(group.records)
    for group in alike.values():
        group.records.sort(key=lambda record: (record.resource, record.scope))
    return list(alike.values())


async def _fails(connection: Connection, rehearse: Rehearse, request: Request) -> Exception | None:
    try:
        await rehearse(connection, [request])
    except Exception as error:  # -- nobody foresaw it: a record may be to blame
        if is_outside(error, connection):
            raise
        return error
    return None


def _request_of(request: Request, records: Sequence[Record]) -> Request:
    body = request_of(records)
    return Request(request.origin, len(body), pack(body), len(records))


def _unmovable(signal: str, request: Request, part: Request, error: Exception) -> Unmovable:
    return Unmovable(
        project=request.origin.project,
        kind=signal,
        key_id=request.origin.key_id,
        key="",
        trace_id="",
        start_ns=0,
        received_ns=request.origin.received_ns,
        records=part.records,
        size=part.size,
        body=part.as_packed,
        **_said(error),
    )


def _said(error: Exception) -> dict[str, str]:
    """What PostgreSQL can hold of an error, without secrets."""
    message = redact(str(error))[:_LONGEST_MESSAGE].replace("\0", "").encode("utf-8", "replace").decode()
    return {"error": type(error).__name__, "message": message}
