"""A foreign span as one of ours: what its producer's dialect says of model, usage, cost, content, session and the rest.

One pass over its attributes with the table that all dialects share, then one reading of each field. Deterministic, so
that stored spans can be read again with a newer mapping; never raises, so that no odd span stops the flusher. Knows our
fields; the names that fill them are in `dialects/`. Knows neither tables nor the clock.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from flyball.llm.usage import Usage

from .dialects.contents import DETAILS, content_of, event_of
from .dialects.providers import models_of, provider_of
from .dialects.reading import Read, read, together
from .dialects.reasons import reason_of
from .dialects.tables import DIALECTS, PLAINLY
from .dialects.texts import parsed, unquoted
from .dialects.usages import tells_money, told_cost, usage_of, usage_told
from .records import APPLICATION, TOLD, Span, Status
from .told import CLIENT, KINDS, Told, ToldEvent, ToldLog, ToldResource

Price: TypeAlias = Callable[[str, str, Usage, int], tuple[int, str] | None]
"""What a call cost by our own prices: provider, model, usage, when -> nano-dollars and the price's version; None: unknown."""

CALLS = frozenset({"llm", "embedding", "reranker"})  # kinds that call a model: usage and cost stand on these alone

_LONGEST = 1_000  # characters of a name
_LATEST = 2**62
_REMOTE = 0x300  # flags: it is known whether the parent is remote, and it is
_STATUS: tuple[Status, ...] = ("unset", "ok", "error")
_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, msgspec.MsgspecError)
UNREAD = "unread"  # the dialect of a span that no mapping could read


def normalise(told: Told, logs: Sequence[ToldLog] = (), *, price: Price | None = None) -> Span:
    """The span as ours. `logs` are the records that name it; `price` is asked where it brings no cost of its own."""
    try:
        return _normalise(told, logs, price)
    except _ODD:
        return Span(**_certain(told), attributes=told.attributes, dialect=UNREAD)


def _normalise(told: Told, logs: Sequence[ToldLog], price: Price | None) -> Span:
    found, gathered, _, _, label = read = _read(told, logs)
    kind = _kind(read)
    content = content_of(found, gathered, told.events, logs)
    fields = _certain(told)
    fields.update(_RESOURCES.fields_of(told.resource))
    for field, value in found.items():
        if field in _TEXTS:
            plain = type(value) is str and value[0] != '"' and len(value) <= _LONGEST
            fields[field] = value if plain else _name(value)
    if "provider" in found:
        fields["provider"] = provider_of(fields["provider"])
    if kind in CALLS:
        fields.update(models_of(fields))
    spent = _spent(told, read, kind, fields, price=price) if gathered["tokens"] or tells_money(found) else _NOTHING
    status, error = _failure(told, found)
    reason = (_reason(found["finish_reason"]) if "finish_reason" in found else "") or content.finish_reason[:_LONGEST]
    return Span(
        **fields,
        kind=kind,
        status=status,
        error=error,
        usage=spent.usage,
        usage_raw=spent.raw,
        cost_nano_usd=spent.cost,
        price_version=spent.price_version,
        tags=_tags(found["tags"]) if "tags" in found else (),
        finish_reason=reason_of(reason) if reason else "",
        first_token_ns=_first_token(told, found),
        parameters=_table("parameters", read),
        metadata=_table("metadata", read),
        input=content.input,
        output=content.output,
        attributes=told.attributes,
        dialect=DIALECTS[label].name,
    )


def _read(told: Told, logs: Sequence[ToldLog]) -> Read:
    """What the span's attributes tell, and those of the event or record that has them in its place."""
    details = [one.attributes for one in told.events if one.name == DETAILS] if told.events else []
    details += [log.attributes for log in logs if event_of(log) == DETAILS]
    attributes = together((told.attributes, *details)) if details else told.attributes
    return read(attributes, told.scope.name)


def _certain(told: Told) -> dict[str, Any]:
    """What needs no mapping."""
    return {
        "trace_id": told.trace_id,
        "span_id": told.span_id,
        "parent_id": told.parent_id,
        "name": told.name[:_LONGEST],
        "start_ns": min(told.start_ns, _LATEST),
        "end_ns": min(told.end_ns or told.start_ns, _LATEST),
        "remote_parent": told.flags & _REMOTE == _REMOTE,
        "kind_otel": KINDS[told.kind] if 0 <= told.kind < len(KINDS) else KINDS[0],
        "scope": APPLICATION,
    }


# -- tokens and money


class _Spent(NamedTuple):
    usage: Usage
    raw: dict[str, Any] | None
    cost: int | None
    price_version: str


_NOTHING = _Spent(Usage(), None, None, "")


def _spent(told: Told, read: Read, kind: str, fields: Mapping[str, Any], *, price: Price | None) -> _Spent:
    """What the span's own call used and cost. Of others, that repeat what their children used, the counts are kept as told."""
    found = read.found
    raw = usage_told(read.gathered["tokens"], found)
    # Nobody but a caller of an agent elsewhere tells what that used.
    if kind not in CALLS and not (kind == "agent" and told.kind == CLIENT):
        return _Spent(Usage(), raw, None, "")
    provider = fields.get("provider", "")
    additive = DIALECTS[read.label].additive
    usage = usage_of(found, additive.get(provider) or additive.get("*", ""))
    cost = told_cost(found)
    if cost is not None:
        return _Spent(usage or Usage(), raw, cost, TOLD)
    priced = None
    if price is not None and usage is not None:
        # Who answers with a name that has a date in it has the price of the name that was asked for.
        names = dict.fromkeys(fields.get(field) for field in ("model_response", "model_requested"))
        tried = (price(provider, name, usage, told.end_ns or told.start_ns) for name in names if name)
        priced = next((found for found in tried if found is not None), None)
    return _Spent(usage or Usage(), raw, *(priced or (None, "")))


# -- field by field


def _kind(read: Read) -> str:
    """What was said, else what there is to see."""
    kind = read.kind
    if kind and read.rank < PLAINLY:
        return kind
    for sign, seen in _SIGNS:
        if sign in read.found:
            return seen
    return "span" if kind in _NO_KIND else kind


_NO_KIND = frozenset({"", "unknown", "none", "default"})


_SIGNS = (
    ("tool", "tool"),
    ("tokens.input", "llm"),
    ("tokens.json", "llm"),
    ("model_response", "llm"),
    ("model_requested", "llm"),
    ("agent", "agent"),
)


_TEXTS = {
    "session_id",
    "user_id",
    "trace_name",
    "prompt_name",
    "prompt_version",
    "experiment_id",
    "item_id",
    "item_version",
    "agent",
    "tool",
    "response_id",
    "provider",
    "model_requested",
    "model_response",
    "environment",  # the resource may tell these as well; the span is believed
    "version",
}


def _name(value: Any) -> str:
    """A name; one that was written as JSON without its quotes."""
    if isinstance(value, str):
        return str(unquoted(value))[:_LONGEST] if value[:1] == '"' else value[:_LONGEST]
    return "" if value is None else str(value)[:_LONGEST]


class _Resources:
    """What resources tell. The last one is remembered, since spans of one request share theirs."""

    def __init__(self) -> None:
        self._last: tuple[ToldResource | None, dict[str, str]] = (None, {})

    def fields_of(self, resource: ToldResource) -> dict[str, str]:
        known, fields = self._last
        if known is not resource:
            fields = {}
            for field, name in _OF_RESOURCE:
                if field not in fields and name in resource.attributes:
                    fields[field] = _name(resource.attributes[name])
            self._last = (resource, fields)
        return fields


_RESOURCES = _Resources()
_OF_RESOURCE = (
    ("service", "service.name"),
    ("environment", "langfuse.environment"),
    ("environment", "deployment.environment.name"),
    ("environment", "deployment.environment"),
    ("version", "langfuse.release"),
    ("version", "service.version"),
)


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, str):
        value = [tag for part in value.split(",") if (tag := part.strip())]
    return tuple(_name(tag) for tag in value) if isinstance(value, list) else ()


def _reason(value: Any) -> str:
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, list):
        value = value[0] if value else ""
    return _name(value)


def _table(field: str, read: Read) -> dict[str, Any]:
    """A table that came as one attribute, with what came name by name."""
    gathered = read.gathered.get(field, {})
    whole = read.found.get(field)
    if whole is None:
        return gathered
    if isinstance(whole, str):
        whole = parsed(whole)
    return {**whole, **gathered} if isinstance(whole, dict) else gathered


def _failure(told: Told, found: Mapping[str, Any]) -> tuple[Status, str]:
    """Status and error: of the status, else of the last exception, else the error's type."""
    status: Status = _STATUS[told.status_code] if 0 <= told.status_code < len(_STATUS) else "unset"
    level = found.get("level")
    if isinstance(level, str) and level.upper() == "ERROR" and status == "unset":
        status = "error"
    if status != "error":
        return status, ""
    thrown = next((event for event in reversed(told.events) if event.name in _EXCEPTIONS), None)
    said = told.status_message or _name(found.get("error")) or (_exception(thrown) if thrown else "")
    return status, said or _name(found.get("error_type")) or "error"


_EXCEPTIONS = frozenset({"exception", "gen_ai.client.operation.exception"})


def _exception(event: ToldEvent) -> str:
    parts = (event.attributes.get(name) for name in ("exception.type", "exception.message"))
    return ": ".join(part for part in parts if isinstance(part, str) and part)


def _first_token(told: Told, found: Mapping[str, Any]) -> int | None:
    """Nanoseconds from the start to the first piece of the answer."""
    for field, unit in _FIRST_TOKEN:
        if field in found:
            value = found[field]
            if isinstance(value, (int, float)) and 0 <= value < _LATEST / unit:
                return round(value * unit)
    moment = _moment(found["first_token.at"]) if "first_token.at" in found else None
    if moment is not None:
        return max(0, moment - told.start_ns)
    event = next((event for event in told.events if event.name in _FIRST), None) if told.events else None
    return max(0, event.time_ns - told.start_ns) if event else None


def _moment(at: Any) -> int | None:
    """A time as ISO 8601, perhaps quoted as JSON, in nanoseconds since 1970."""
    if not isinstance(at, str):
        return None
    try:
        moment = datetime.fromisoformat(at.strip('"'))
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6) * 1_000


_FIRST_TOKEN = (("first_token.seconds", 1e9), ("first_token.milliseconds", 1e6))
_FIRST = frozenset({"First Token Stream Event", "ai.stream.firstChunk", "gen_ai.first_token"})
