"""What a call has cost: an entry of the ledger for each attempt at a model, made when the call ends. Pure.

A call of a function is an entry of its own, which counts as one request and costs nothing; what its variant asked of models
follows. Knows attempts and spans; knows not where entries go, nor which lease they are paid from.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flyball.ledger.records import Entry, State
from flyball.llm.usage import Usage
from flyball.models.pricing import Cost
from flyball.projects.key_records import ActiveKey
from flyball.traces.records import Span

from .choose import FunctionRoute, ModelRoute, Route

_BUCKETS = tuple(name for name in Usage.__struct_fields__ if name in Entry.__struct_fields__)
LEFT = frozenset({"client_closed_request", "interrupted"})


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that has ended. `cost` is what its usage costs, unknown where a price or the usage is."""

    span_id: str
    provider: str
    model: str  # what the upstream calls it
    usage: Usage | None
    cost: Cost
    failed: bool  # it brought the caller no whole answer
    answered: bool  # the upstream began to answer


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has ended. `at_ns` is when it was admitted."""

    caller: ActiveKey
    organisation: str
    at_ns: int
    trace_id: str
    span_id: str
    tags: tuple[str, ...]
    error: str = ""


def entries_of(called: Called, route: Route | None, tried: Sequence[Tried], spans: Sequence[Span]) -> tuple[Entry, ...]:
    """The call's entries, in the order of its attempts."""
    if isinstance(route, FunctionRoute):
        return tuple(_of_function(called, route, spans))
    if route is None:
        return ()
    return tuple(_of_model(called, route, tried))


def _of_model(called: Called, route: ModelRoute, tried: Sequence[Tried]) -> Iterator[Entry]:
    for number, attempt in enumerate(tried, 1):
        last = number == len(tried)
        # Nobody is billed for an answer that never began; once one has begun and its usage never came, nobody knows.
        cost = attempt.cost if attempt.usage or attempt.answered else Cost(0, attempt.cost.price_version)
        yield Entry(
            id=attempt.span_id,
            state=_state(called, attempt, last=last),
            requests=1 if number == 1 else 0,
            model=route.model.name,
            provider=attempt.provider,
            upstream_model=attempt.model,
            nano_usd=cost.nano_usd,
            price_version=cost.price_version or None,
            **_used(attempt.usage),
            **_known(called),
        )


def _of_function(called: Called, route: FunctionRoute, spans: Sequence[Span]) -> Iterator[Entry]:
    made = {
        "function": route.function.name,
        "variant": route.variant.name,
        "release": route.release.release_id,
        **_known(called),
    }
    state: State = "complete" if not called.error else "cancelled" if called.error in LEFT else "failed"
    yield Entry(id=called.span_id, state=state, nano_usd=0, **made)
    for span in spans:
        if span.kind == "llm":
            yield Entry(
                id=span.span_id,
                state="failed" if span.status == "error" else "complete",
                requests=0,
                model=span.attributes.get("model") or span.model_requested or None,
                provider=span.provider or None,
                upstream_model=span.model_requested or None,
                nano_usd=0 if span.status == "error" and not span.usage.total_tokens else span.cost_nano_usd,
                price_version=span.price_version or None,
                **_used(span.usage),
                **made,
            )


def _state(called: Called, attempt: Tried, *, last: bool) -> State:
    if not last:
        return "retried"
    if not called.error and not attempt.failed:
        return "complete"
    return "cancelled" if called.error in LEFT else "failed"


def _used(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    return {name: getattr(usage, name) for name in _BUCKETS}


def _known(called: Called) -> dict[str, Any]:
    caller = called.caller
    return {
        "project": caller.project,
        "organisation": called.organisation,
        "at_ns": called.at_ns,
        "trace_id": called.trace_id,
        "key_id": caller.counted_as,
        "member": caller.member or None,
        "tags": called.tags,
    }
