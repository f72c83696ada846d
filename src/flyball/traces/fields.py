"""Our fields, one by one, from what a span's producer told. Never raises what `ODD` does not name.

Knows what a field means; knows neither which attribute told it (`dialects/`) nor what becomes of it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from flyball.llm.usage import Usage

from .dialects.reading import Read
from .dialects.tables import DIALECTS, PLAINLY
from .dialects.texts import parsed, unquoted
from .dialects.usages import told_cost, usage_of, usage_told
from .records import TOLD, Status
from .told import CLIENT, KINDS, Told, ToldEvent, ToldResource

Price: TypeAlias = Callable[[str, str, Usage, int], tuple[int, str] | None]
"""What a call cost by our own prices: provider, model, usage, when -> nano-dollars and the price's version; None: unknown."""

CALLS = frozenset({"llm", "embedding", "reranker"})  # kinds that call a model: usage and cost stand on these alone
ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, msgspec.MsgspecError)
LONGEST_NAME = 1_000  # characters
LATEST = 2**62  # nanoseconds

STATUSES: tuple[Status, ...] = ("unset", "ok", "error")  # by the protocol's number
_REMOTE = 0x300  # flags: it is known whether the parent is remote, and it is


def is_remote(told: Told) -> bool:
    """Whether the parent belongs to another process, for certain."""
    return told.flags & _REMOTE == _REMOTE


def kind_otel_of(told: Told) -> str:
    """OpenTelemetry's word for what the span is to its caller."""
    return KINDS[told.kind] if 0 <= told.kind < len(KINDS) else KINDS[0]


def kind_of(read: Read) -> str:
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


NAMES = {
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


def name_of(value: Any) -> str:
    """A name; one that was written as JSON without its quotes."""
    if isinstance(value, str):
        return str(unquoted(value))[:LONGEST_NAME] if value[:1] == '"' else value[:LONGEST_NAME]
    return "" if value is None else str(value)[:LONGEST_NAME]


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
                    fields[field] = name_of(resource.attributes[name])
            self._last = (resource, fields)
        return fields


RESOURCES = _Resources()
_OF_RESOURCE = (
    ("service", "service.name"),
    ("environment", "langfuse.environment"),
    ("environment", "deployment.environment.name"),
    ("environment", "deployment.environment"),
    ("version", "langfuse.release"),
    ("version", "service.version"),
)


def tags_of(value: Any) -> tuple[str, ...]:
    """Tags from a list, its JSON, or names between commas."""
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, str):
        value = [tag for part in value.split(",") if (tag := part.strip())]
    return tuple(name_of(tag) for tag in value) if isinstance(value, list) else ()


def reason_told(value: Any) -> str:
    """Why an answer ended, in the producer's word; the first of several."""
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, list):
        value = value[0] if value else ""
    return name_of(value)


def table_told(field: str, read: Read) -> dict[str, Any]:
    """A table that came as one attribute, with what came name by name."""
    gathered = read.gathered.get(field, {})
    whole = read.found.get(field)
    if whole is None:
        return gathered
    if isinstance(whole, str):
        whole = parsed(whole)
    return {**whole, **gathered} if isinstance(whole, dict) else gathered


def failure_of(told: Told, found: Mapping[str, Any]) -> tuple[Status, str]:
    """Status and error: of the status, else of the last exception, else the error's type."""
    status: Status = STATUSES[told.status_code] if 0 <= told.status_code < len(STATUSES) else "unset"
    level = found.get("level")
    if isinstance(level, str) and level.upper() == "ERROR" and status == "unset":
        status = "error"
    if status != "error":
        return status, ""
    thrown = next((event for event in reversed(told.events) if event.name in _EXCEPTIONS), None)
    said = told.status_message or name_of(found.get("error")) or (_exception(thrown) if thrown else "")
    return status, said or name_of(found.get("error_type")) or "error"


_EXCEPTIONS = frozenset({"exception", "gen_ai.client.operation.exception"})


def _exception(event: ToldEvent) -> str:
    parts = (event.attributes.get(name) for name in ("exception.type", "exception.message"))
    return ": ".join(part for part in parts if isinstance(part, str) and part)


def first_token_of(told: Told, found: Mapping[str, Any]) -> int | None:
    """Nanoseconds from the start to the first piece of the answer."""
    for field, unit in _FIRST_TOKEN:
        if field in found:
            value = found[field]
            if isinstance(value, (int, float)) and 0 <= value < LATEST / unit:
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


# -- tokens and money


class Spent(NamedTuple):
    """What a span used, as it told that, and what it cost by whose prices."""

    usage: Usage
    raw: dict[str, Any] | None
    cost: int | None
    price_version: str


NOTHING = Spent(Usage(), None, None, "")


def spent_on(told: Told, read: Read, kind: str, fields: Mapping[str, Any], *, price: Price | None) -> Spent:
    """What the span's own call used and cost. Of others, that repeat what their children used, the counts are kept as told."""
    found = read.found
    raw = usage_told(read.gathered["tokens"], found)
    # Nobody but a caller of an agent elsewhere tells what that used.
    if kind not in CALLS and not (kind == "agent" and told.kind == CLIENT):
        return Spent(Usage(), raw, None, "")
    provider = fields.get("provider", "")
    additive = DIALECTS[read.label].additive
    usage = usage_of(found, additive.get(provider) or additive.get("*", ""))
    cost = told_cost(found)
    if cost is not None:
        return Spent(usage or Usage(), raw, cost, TOLD)
    priced = None
    if price is not None and usage is not None:
        # Who answers with a name that has a date in it has the price of the name that was asked for.
        names = dict.fromkeys(fields.get(field) for field in ("model_response", "model_requested"))
        tried = (price(provider, name, usage, told.end_ns or told.start_ns) for name in names if name)
        priced = next((found for found in tried if found is not None), None)
    return Spent(usage or Usage(), raw, *(priced or (None, "")))
