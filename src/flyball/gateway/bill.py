"""What a call has cost: an entry of the ledger for each attempt at a model, made when the call ends. Pure.

A call of a function is an entry of its own, which counts as one request (of its function, and of the model that its variant asks) and
costs nothing; what its variant asked of models follows. Knows attempts and spans; knows not where entries go, nor which lease they are paid from.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from flyball.functions.billing import entries_of_run, model_asked
from flyball.ledger.records import Entry, State
from flyball.llm.usage import Usage
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.pricing import Cost
from flyball.projects.key_records import ActiveKey
from flyball.traces.records import Span

from .choose import FunctionRoute, ModelRoute, Route

_NOTHING = Usage()
LEFT = frozenset({"client_closed_request", "interrupted"})


class Tried(Protocol):
    """One attempt that has ended. `cost` is what its usage costs, unknown where a price or the usage is."""

    endpoint: ResolvedEndpoint
    span_id: str
    usage: Usage | None
    cost: Cost
    error: str  # why it brought the caller no whole answer
    answered: bool  # the upstream began to answer


class Called(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
        return tuple(entries_of_run(_of_function(called, route), spans))
    if route is None:
        return ()
    if len(tried) == 1:  # as nearly always
        return (_of_model(called, route, tried[0], first=True, last=True),)
    entries: list[Entry] = []
    for attempt in tried:
        first, last = not entries, len(entries) + 1 == len(tried)
        entries.append(_of_model(called, route, attempt, first=first, last=last))
    return tuple(entries)


def _of_model(called: Called, route: ModelRoute, attempt: Tried, *, first: bool, last: bool) -> Entry:
    caller = called.caller
    # Nobody is billed for an answer that never began; once one has begun and its usage never came, nobody knows.
    cost = attempt.cost if attempt.usage or attempt.answered else Cost(0, attempt.cost.price_version)
    usage = attempt.usage or _NOTHING
    # Fifteen names and no more: Python passes more of them in a dictionary, which takes four times as long, for every call.
    entry = Entry(
        id=attempt.span_id,
        project=caller.project,
        organisation=called.organisation,
        at_ns=called.at_ns,
        trace_id=called.trace_id,
        key_id=caller.counted_as,
        member=caller.member or None,
        model=route.model.name,
        provider=attempt.endpoint.provider,
        upstream_model=attempt.endpoint.model,
        tags=called.tags,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        nano_usd=cost.nano_usd,
        price_version=cost.price_version or None,
    )
    if not (first and last) or called.error or attempt.error:
        entry = replace(entry, state=_state(called, attempt, last=last), requests=1 if first else 0)
    return _with_rarer(entry, usage)


def _with_rarer(entry: Entry, usage: Usage) -> Entry:
    """The entry, and what a usage has beside input and output."""
    if not (
        usage.cache_read_tokens
        or usage.cache_write_tokens
        or usage.cache_write_1h_tokens
        or usage.audio_input_tokens
        or usage.reasoning_tokens
        or usage.audio_output_tokens
        or usage.web_searches
        or usage.estimated
    ):
        return entry
    return replace(
        entry,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        audio_input_tokens=usage.audio_input_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        audio_output_tokens=usage.audio_output_tokens,
        web_searches=usage.web_searches,
        estimated=usage.estimated,
    )


def _of_function(called: Called, route: FunctionRoute) -> Entry:
    state: State = "complete" if not called.error else "cancelled" if called.error in LEFT else "failed"
    return Entry(
        id=called.span_id,
        state=state,
        nano_usd=0,
        function=route.function.name,
        variant=route.variant.name,
        release=route.release.release_id,
        model=model_asked(route.variant),
        **_known(called),
    )


def _state(called: Called, attempt: Tried, *, last: bool) -> State:
    if not last:
        return "retried"
    if not called.error and not attempt.error:
        return "complete"
    return "cancelled" if called.error in LEFT else "failed"


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
