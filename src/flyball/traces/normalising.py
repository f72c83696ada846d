"""A foreign span as one of ours: what its producer's dialect says of model, usage, cost, content, session and the rest.

One pass over its attributes with the table that all dialects share, then one reading of each field (`fields.py`). Deterministic,
so that stored spans can be read again with a newer mapping; never raises, so that no odd span stops the flusher. The names that
fill our fields are in `dialects/`. Knows neither tables nor the clock.
"""

from collections.abc import Sequence
from typing import Any

from .dialects.contents import DETAILS, content_of, event_of
from .dialects.providers import models_of, provider_of
from .dialects.reading import Read, read, together
from .dialects.reasons import reason_of
from .dialects.tables import DIALECTS
from .dialects.usages import tells_money
from .fields import (
    CALLS,
    LATEST,
    LONGEST_NAME,
    NAMES,
    NOTHING,
    ODD,
    RESOURCES,
    Price,
    failure_of,
    first_token_of,
    is_remote,
    kind_of,
    kind_otel_of,
    name_of,
    reason_told,
    spent_on,
    table_told,
    tags_of,
)
from .records import APPLICATION, Span
from .told import Told, ToldLog

UNREAD = "unread"  # the dialect of a span that no mapping could read


def normalise(told: Told, logs: Sequence[ToldLog] = (), *, price: Price | None = None) -> Span:
    """The span as ours. `logs` are the records that name it; `price` is asked where it brings no cost of its own."""
    try:
        return _normalise(told, logs, price)
    except ODD:
        return Span(**_certain(told), attributes=told.attributes, dialect=UNREAD)


def _normalise(told: Told, logs: Sequence[ToldLog], price: Price | None) -> Span:
    found, gathered, _, _, label = read = _read(told, logs)
    kind = kind_of(read)
    content = content_of(found, gathered, told.events, logs)
    fields = _certain(told)
    fields.update(RESOURCES.fields_of(told.resource))
    for field, value in found.items():
        if field in NAMES:
            plain = type(value) is str and value[0] != '"' and len(value) <= LONGEST_NAME
            fields[field] = value if plain else name_of(value)
    if "provider" in found:
        fields["provider"] = provider_of(fields["provider"])
    if kind in CALLS:
        fields.update(models_of(fields))
    spent = spent_on(told, read, kind, fields, price=price) if gathered["tokens"] or tells_money(found) else NOTHING
    status, error = failure_of(told, found)
    reason = (reason_told(found["finish_reason"]) if "finish_reason" in found else "") or content.finish_reason[
        :LONGEST_NAME
    ]
    return Span(
        **fields,
        kind=kind,
        status=status,
        error=error,
        usage=spent.usage,
        usage_raw=spent.raw,
        cost_nano_usd=spent.cost,
        price_version=spent.price_version,
        tags=tags_of(found["tags"]) if "tags" in found else (),
        finish_reason=reason_of(reason) if reason else "",
        first_token_ns=first_token_of(told, found),
        parameters=table_told("parameters", read),
        metadata=table_told("metadata", read),
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
        "name": told.name[:LONGEST_NAME],
        "start_ns": min(told.start_ns, LATEST),
        "end_ns": min(told.end_ns or told.start_ns, LATEST),
        "remote_parent": is_remote(told),
        "kind_otel": kind_otel_of(told),
        "scope": APPLICATION,
    }
