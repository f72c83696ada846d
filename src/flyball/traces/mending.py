"""Reads a record back from the inbox whatever it says, so that no odd record ever stops the flusher.

A field that breaks its rule is left out of its column and kept under the attribute `flyball.refused`; nothing is lost.
Knows records' rules; knows no table.
"""

from typing import Any, TypeVar

import msgspec

from flyball.infra.db.database import Row

from .records import Score, Span

T = TypeVar("T", Span, Score)
REFUSED = "flyball.refused"

_span_decoder = msgspec.json.Decoder(Span)
_score_decoder = msgspec.json.Decoder(Score)


def read_span(row: Row) -> Span:
    """The span of an inbox row (`project`, `key`, `trace_id`, `start_ns`, `body`)."""
    try:
        return _span_decoder.decode(row["body"])
    except msgspec.MsgspecError:
        good, refused = _sort(row["body"], Span)
        trace_id, _, span_id = row["key"].partition("/")
        known = {"trace_id": trace_id, "span_id": span_id, "project": row["project"], "start_ns": row["start_ns"]}
        missing = {"name": "unreadable", "end_ns": row["start_ns"]}
        attributes = good.pop("attributes", {}) | {REFUSED: refused}
        return Span(**(missing | good | known), attributes=attributes)


def read_score(row: Row) -> Score:
    """The score of an inbox row, likewise; what was refused is told in its explanation."""
    try:
        return _score_decoder.decode(row["body"])
    except msgspec.MsgspecError:
        good, refused = _sort(row["body"], Score)
        known = {"score_id": row["key"], "project": row["project"], "created_ns": row["start_ns"]}
        missing = {"name": "unreadable", "target_kind": "trace", "target_id": row["trace_id"]}
        told = f"{good.pop('explanation', '')} {REFUSED}: {msgspec.json.encode(refused).decode()}".strip()
        return Score(**(missing | good | known), explanation=told)


def _sort(body: bytes, shape: type[T]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that keep their rules, converted, and those that do not, as they are."""
    try:
        given = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}, {"body": body.decode("utf-8", "replace")}
    types = {field.name: field.type for field in msgspec.structs.fields(shape)}
    good: dict[str, Any] = {}
    refused: dict[str, Any] = {}
    for name, value in given.items():
        try:
            good[name] = msgspec.convert(value, types[name])
        except (KeyError, msgspec.ValidationError):
            refused[name] = value
    return good, refused
