"""The Delta tables of this room, and how a record becomes a row of them and is read back.

`spans` holds previews, so that lists never touch big texts; `payloads` holds texts above a preview, beside their content
hash; texts above 64 KiB are blobs. Knows columns; knows neither batches nor questions. Heavy: it needs pyarrow.
"""

from collections.abc import Mapping
from functools import lru_cache
from time import gmtime, strftime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from flyball.infra.lake.schema import TableSchema
from flyball.kit.hashing import bytes_hash

from .attributes import attributes_from_json
from .records import MAP_VERSION, PREVIEW, Score, Span, SpanRow, preview

LARGEST_ROW_TEXT = 64 * 1024  # bytes; a longer text is a blob of its own
_LARGEST = 2**63 - 1
_DAY_NS = 86_400 * 1_000_000_000

_text, _int = pa.string(), pa.int64()

SPANS = TableSchema(
    name="spans",
    unique=("project", "trace_id", "span_id"),
    partition_by=("project", "day"),
    sort_by=("start_ns",),
    find_by=("trace_id",),
    plain=("trace_id", "span_id", "parent_id", "input_preview", "output_preview", "attributes", "events", "links"),
    history_hours=1,
    arrow=pa.schema(
        [
            ("project", _text),
            ("trace_id", _text),
            ("span_id", _text),
            ("parent_id", _text),
            ("entry", pa.bool_()),
            ("name", _text),
            ("kind", _text),
            ("kind_otel", _text),
            ("start_ns", _int),
            ("end_ns", _int),
            ("status", _text),
            ("error", _text),
            ("service", _text),
            ("scope", _text),
            ("environment", _text),
            ("key_id", _text),
            ("session_id", _text),
            ("user_id", _text),
            ("trace_name", _text),
            ("tags", pa.list_(_text)),
            ("function", _text),
            ("variant", _text),
            ("variant_hash", _text),
            ("release", _text),
            ("provider", _text),
            ("model_requested", _text),
            ("model_response", _text),
            ("input_tokens", _int),
            ("cache_read_tokens", _int),
            ("cache_write_tokens", _int),
            ("output_tokens", _int),
            ("reasoning_tokens", _int),
            ("usage_estimated", pa.bool_()),
            ("usage_raw", _text),
            ("cost_nano_usd", _int),
            ("price_version", _text),
            ("prompt_name", _text),
            ("prompt_version", _text),
            ("experiment_id", _text),
            ("item_id", _text),
            ("item_version", _text),
            ("input_preview", _text),
            ("output_preview", _text),
            ("input_ref", _text),
            ("output_ref", _text),
            ("attributes", _text),
            ("map_version", _int),
            ("day", _text),
            ("received_ns", _int),
            ("trace_state", _text),
            ("flags", _int),
            ("span_kind", _int),
            ("status_code", _int),
            ("status_message", _text),
            ("events", _text),
            ("links", _text),
            ("dropped_attributes", _int),
            ("dropped_events", _int),
            ("dropped_links", _int),
            ("resource", _text),
            ("otel_scope", _text),
            ("large", _text),
            ("told_apart", _text),
            ("dialect", _text),
            ("version", _text),
            ("agent", _text),
            ("tool", _text),
            ("response_id", _text),
            ("finish_reason", _text),
            ("first_token_ns", _int),
            ("parameters", _text),
            ("metadata", _text),
        ]
    ),
)

PAYLOADS = TableSchema(
    name="payloads",
    partition_by=("project", "day"),
    plain=("trace_id", "span_id", "hash", "text"),
    sort_by=("start_ns",),
    find_by=("trace_id",),
    history_hours=1,
    arrow=pa.schema(
        [
            ("project", _text),
            ("trace_id", _text),
            ("span_id", _text),
            ("side", _text),
            ("start_ns", _int),
            ("hash", _text),
            ("text", _text),
            ("day", _text),
        ]
    ),
)

SCORES = TableSchema(
    name="scores",
    unique=("project", "score_id"),
    partition_by=("project", "day"),
    sort_by=("created_ns",),
    find_by=("trace_id",),
    history_hours=1,
    arrow=pa.schema(
        [
            ("project", _text),
            ("score_id", _text),
            ("target_kind", _text),
            ("target_id", _text),
            ("trace_id", _text),
            ("name", _text),
            ("value", pa.float64()),
            ("label", _text),
            ("explanation", _text),
            ("correction", _text),
            ("annotator_kind", _text),
            ("annotator_id", _text),
            ("identifier", _text),
            ("rubric_version", _text),
            ("judge_trace_id", _text),
            ("weight", pa.float64()),
            ("propensity", pa.float64()),
            ("created_ns", _int),
            ("attributes", _text),
            ("day", _text),
        ]
    ),
)

_MADE = frozenset({"input", "output", "usage", "usage_raw", "tags", "attributes", "parameters", "metadata"})
_COPIED = tuple(name for name in Span.__struct_fields__ if name in SPANS.arrow.names and name not in _MADE)


class Stored(NamedTuple):
    """A span as it is stored: its row, rows for its long texts, and the texts that become blobs."""

    row: dict[str, Any]
    payloads: list[dict[str, Any]]
    blobs: list[bytes]


def store_span(span: Span) -> Stored:
    """What is written for a span. It always fits: numbers are cut to 64 bits, text was checked when it became JSON."""
    day = day_of(span.start_ns)
    row: dict[str, Any] = {name: getattr(span, name) for name in _COPIED} | {"day": day}
    payloads: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for side, text in (("input", span.input), ("output", span.output)):
        reference = ""
        if len(text) > PREVIEW:
            data = text.encode()
            reference = bytes_hash(data)
            if len(data) > LARGEST_ROW_TEXT:
                blobs.append(data)
            else:
                place = {"project": span.project, "trace_id": span.trace_id, "span_id": span.span_id, "day": day}
                payloads.append(place | {"side": side, "start_ns": span.start_ns, "hash": reference, "text": text})
        row |= {f"{side}_preview": preview(text), f"{side}_ref": reference}
    usage = span.usage
    row |= {
        "entry": span.entry,
        "tags": list(span.tags),
        **{name: _int64(count) for name, count in usage.columns.items()},
        "usage_estimated": usage.estimated,
        "usage_raw": None if span.usage_raw is None else msgspec.json.encode(span.usage_raw).decode(),
        "cost_nano_usd": span.cost_nano_usd,
        "attributes": msgspec.json.encode(span.attributes).decode() if span.attributes else "",
        "map_version": MAP_VERSION,
    }
    return Stored(row, payloads, blobs)


def read_span(row: Mapping[str, Any]) -> SpanRow:
    """A row of `spans` as its record. Columns that are younger than the row read as empty."""
    given = {name: row[name] for name in SpanRow.__struct_fields__ if row.get(name) is not None}
    read = msgspec.json.decode if row.get("resource") is None else attributes_from_json
    given["attributes"] = read(given.get("attributes") or "{}")
    for name in ("parameters", "metadata"):
        given[name] = attributes_from_json(given.get(name) or "{}")
    return msgspec.convert(given, SpanRow)


def store_score(score: Score) -> dict[str, Any]:
    """What is written for a score."""
    attributes = msgspec.json.encode(score.attributes).decode() if score.attributes else ""
    return msgspec.structs.asdict(score) | {"attributes": attributes, "day": day_of(score.created_ns)}


def read_score(row: Mapping[str, Any]) -> Score:
    """A row of `scores` as its record."""
    given = {name: row[name] for name in SCORES.arrow.names if row[name] is not None}
    given["attributes"] = msgspec.json.decode(given.get("attributes") or "{}")
    return msgspec.convert(given, Score)


def day_of(time_ns: int) -> str:
    """The day, UTC, as `2026-11-21`. What lies together in files is of one day, and goes with it."""
    return _day(time_ns // _DAY_NS)


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return strftime("%Y-%m-%d", gmtime(number * 86_400))


def _int64(number: int) -> int:
    return max(-_LARGEST, min(number, _LARGEST))
