"""Spans that OTLP told, as columns of the table `spans`: built column by column, since a dict per row costs more than all else.

A value that does not fit its column is made to fit, so that no odd span ever stops the flusher; what was told stands
unharmed in the raw columns beside it. Knows columns; knows neither batches nor how a span was understood.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

import msgspec
import pyarrow as pa

from . import large
from .attributes import attributes_json
from .records import MAP_VERSION, PREVIEW, Side, Span, preview
from .tables import SPANS, day_of
from .told import Told, ToldResource, ToldScope

TOLD = "told"  # the reference of a text that is derived again from what was told, where it is longer than its preview

_LARGEST = 2**63 - 1
_LONGEST_NAME = 1_000  # characters that a name has in its column
_LATEST = 2**62  # nanoseconds that a time has in its column
# Ours to say, whatever the span says; and what is told beside.
_OWN = frozenset({"project", "key_id", "attributes"})
_USAGE = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_JSON = ("parameters", "metadata")
_SIDES: tuple[Side, ...] = ("input", "output")
Columns: TypeAlias = dict[str, Any]  # a list of values for each column
_Keep: TypeAlias = Callable[[bytes], str]


class Origin(NamedTuple):
    """Where spans came from: shared by those of one request."""

    project: str
    key_id: str
    received_ns: int


class Arrived(NamedTuple):
    """A span on its way into the table: whence, as it was told, and as it was understood."""

    origin: Origin
    told: Told
    span: Span


def span_columns(arrived: Sequence[Arrived], keep: _Keep) -> pa.Table:
    """The rows. `keep` is given what is too large for a row, and returns the hash under which it is found again."""
    origins, tolds, spans = zip(*arrived, strict=True)
    return told_columns(origins, tolds, columns_of(spans), keep)


def told_columns(origins: Sequence[Origin], tolds: Sequence[Told], ours: Columns, keep: _Keep) -> pa.Table:
    """The rows: whence, as they were told, and as they were understood (`columns_of`)."""
    columns = ours | _as_told(tolds, keep)
    columns |= {
        "project": [origin.project for origin in origins],
        "key_id": [origin.key_id for origin in origins],
        "received_ns": [origin.received_ns for origin in origins],
        "day": [day_of(told.start_ns) for told in tolds],
        "map_version": [MAP_VERSION] * len(tolds),
    }
    return table_of(SPANS.arrow, columns)


def columns_of(spans: Sequence[Span]) -> Columns:
    """Records as columns: those of the table that say how a span was understood."""
    return _of_spans(spans) | _of_usage(spans)


def text_columns(side: Side, texts: list[str]) -> Columns:
    """The columns of what went in or came out: as it begins, and whether there is more."""
    return {
        f"{side}_preview": list(map(preview, texts)),
        f"{side}_ref": [TOLD if len(text) > PREVIEW else "" for text in texts],
    }


def json_text(value: Any) -> str:
    """A value as JSON, whatever it holds."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError):
        return value_json(value)


def table_of(schema: pa.Schema, columns: dict[str, Any]) -> pa.Table:
    """A table of these columns, in the schema's order; a column that is not given is empty."""
    size = len(next(iter(columns.values())))
    return pa.table(
        [
            fitted(columns[field.name], field.type) if field.name in columns else pa.nulls(size, field.type)
            for field in schema
        ],
        schema=schema,
    )


def fitted(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """The values as an array; those that no column can hold are cut to what it can."""
    try:
        if not pa.types.is_list(type_) and values.count(values[0]) == len(values):  # most columns of most batches
            return pa.repeat(pa.scalar(values[0], type_), len(values))
        return pa.array(values, type_)
    except (UnicodeEncodeError, OverflowError, pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_fit(value, type_) for value in values], type_)


def _of_spans(spans: Sequence[Span]) -> dict[str, Any]:
    names = [name for name in Span.__struct_fields__ if name in SPANS.arrow.names and name not in _OWN]
    columns: dict[str, Any] = {name: list(map(attrgetter(name), spans)) for name in names}
    for side in _SIDES:
        columns |= text_columns(side, list(map(attrgetter(side), spans)))
    for name in _JSON:
        if name in columns:
            columns[name] = [json_text(value) if value else "" for value in columns[name]]
    columns["entry"] = [span.entry for span in spans]
    columns["usage_raw"] = [None if span.usage_raw is None else json_text(span.usage_raw) for span in spans]
    return columns


def _of_usage(spans: Sequence[Span]) -> dict[str, Any]:
    usages = [span.usage for span in spans]
    plain = {id(usage): usage.columns for usage in usages}
    columns: dict[str, Any] = {name: [plain[id(usage)][name] for usage in usages] for name in _USAGE}
    return columns | {"usage_estimated": [usage.estimated for usage in usages]}


def _as_told(tolds: Sequence[Told], keep: _Keep) -> dict[str, Any]:
    """What was told, in columns that lose nothing of it."""
    columns: dict[str, Any] = {
        "trace_state": list(map(attrgetter("trace_state"), tolds)),
        "told_apart": [
            "" if max(told.start_ns, told.end_ns) <= _LATEST and len(told.name) <= _LONGEST_NAME else _apart(told)
            for told in tolds
        ],
        "flags": list(map(attrgetter("flags"), tolds)),
        "span_kind": list(map(attrgetter("kind"), tolds)),
        "status_code": list(map(attrgetter("status_code"), tolds)),
        "status_message": list(map(attrgetter("status_message"), tolds)),
        "dropped_attributes": list(map(attrgetter("dropped_attributes"), tolds)),
        "dropped_events": list(map(attrgetter("dropped_events"), tolds)),
        "dropped_links": list(map(attrgetter("dropped_links"), tolds)),
        "attributes": [attributes_json(told.attributes) if told.attributes else "" for told in tolds],
        "events": [_structs_json(told.events) for told in tolds],
        "links": [_structs_json(told.links) for told in tolds],
        "resource": shared_json(map(attrgetter("resource"), tolds)),
        "otel_scope": shared_json(map(attrgetter("scope"), tolds)),
        "large": [""] * len(tolds),
    }
    too_large = [
        index
        for name in large.COLUMNS
        if max(map(len, columns[name])) > large.LARGEST_TEXT
        for index, text in enumerate(columns[name])
        if len(text) > large.LARGEST_TEXT
    ]
    for index in set(too_large):
        row = {name: columns[name][index] for name in large.COLUMNS}
        for name, text in large.set_apart(row, tolds[index].attributes, keep).items():
            columns[name][index] = text
    return columns


def shared_json(shared: Iterable[ToldResource | ToldScope]) -> list[str]:
    """Resources or scopes as JSON; each object is written once, however many records share it."""
    written: dict[int, str] = {}
    texts = []
    for each in shared:
        text = written.get(id(each))
        if text is None:
            text = written[id(each)] = attributes_json(msgspec.structs.asdict(each))
        texts.append(text)
    return texts


def value_json(value: Any) -> str:
    """One value in the lossless JSON of attributes."""
    return attributes_json({"v": value})[5:-1]


def _apart(told: Told) -> str:
    """What its columns cut, whole."""
    return json_text({"name": told.name, "start_ns": told.start_ns, "end_ns": told.end_ns})


def _structs_json(structs: Sequence[msgspec.Struct]) -> str:
    return value_json([msgspec.structs.asdict(each) for each in structs]) if structs else ""


def _fit(value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(type_):
        return str(value).encode("utf-8", "replace").decode()
    if pa.types.is_integer(type_):
        return max(-_LARGEST, min(int(value), _LARGEST))
    if pa.types.is_list(type_):
        return [_fit(each, type_.value_type) for each in value]
    return value
