"""A row of `spans`, `logs` or `metrics` as what was told: the way back from the raw columns, which loses nothing.

Knows raw columns; knows neither questions nor what attributes mean.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from . import large
from .attributes import attributes_from_json
from .told import Told, ToldEvent, ToldLink, ToldLog, ToldPoint, ToldResource, ToldScope

RAW = (
    "trace_id",
    "span_id",
    "parent_id",
    "name",
    "start_ns",
    "end_ns",
    "trace_state",
    "flags",
    "span_kind",
    "status_code",
    "status_message",
    "attributes",
    "events",
    "links",
    "dropped_attributes",
    "dropped_events",
    "dropped_links",
    "resource",
    "otel_scope",
    "large",
    "told_apart",
)


def told_of_row(row: Mapping[str, Any], find: Callable[[str], bytes]) -> Told:
    """The span as it was told. `find` returns the bytes of a hash, and raises what it raises where they are gone."""
    whole = large.put_back(row, find)
    if whole["told_apart"]:
        whole |= msgspec.json.decode(whole["told_apart"], type=dict[str, Any])
    return Told(
        trace_id=whole["trace_id"],
        span_id=whole["span_id"],
        parent_id=whole["parent_id"],
        name=whole["name"],
        start_ns=whole["start_ns"],
        end_ns=whole["end_ns"],
        trace_state=whole["trace_state"],
        flags=whole["flags"],
        kind=whole["span_kind"],
        attributes=_attributes(whole["attributes"]),
        events=[msgspec.convert(each, ToldEvent) for each in _values(whole["events"])],
        links=[msgspec.convert(each, ToldLink) for each in _values(whole["links"])],
        status_code=whole["status_code"],
        status_message=whole["status_message"],
        dropped_attributes=whole["dropped_attributes"],
        dropped_events=whole["dropped_events"],
        dropped_links=whole["dropped_links"],
        resource=ToldResource(**_attributes(whole["resource"])),
        scope=ToldScope(**_attributes(whole["otel_scope"])),
    )


def told_of_log(row: Mapping[str, Any]) -> ToldLog:
    """The log record of a row of `logs`."""
    return ToldLog(
        time_ns=row["time_ns"],
        observed_ns=row["observed_ns"],
        severity=row["severity"],
        severity_text=row["severity_text"],
        event_name=row["event_name"],
        body=value_of(row["body"]) if row["body"] else None,
        attributes=_attributes(row["attributes"]),
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        flags=row["flags"],
        dropped=row["dropped"],
        resource=ToldResource(**_attributes(row["resource"])),
        scope=ToldScope(**_attributes(row["otel_scope"])),
    )


def told_of_point(row: Mapping[str, Any]) -> ToldPoint:
    """The point of a row of `metrics`. A whole number is told as one."""
    return ToldPoint(
        name=row["name"],
        kind=row["kind"],
        time_ns=row["time_ns"],
        description=row["description"],
        unit=row["unit"],
        temporality=row["temporality"],
        monotonic=row["monotonic"],
        start_ns=row["start_ns"],
        value=row["value"] if row["value_integer"] is None else row["value_integer"],
        detail=_attributes(row["detail"]),
        attributes=_attributes(row["attributes"]),
        flags=row["flags"],
        resource=ToldResource(**_attributes(row["resource"])),
        scope=ToldScope(**_attributes(row["otel_scope"])),
    )


def value_of(text: str) -> Any:
    """One value of the lossless JSON of attributes."""
    return attributes_from_json(f'{{"v":{text}}}')["v"]


def _attributes(text: str) -> dict[str, Any]:
    return attributes_from_json(text) if text else {}


def _values(text: str) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = value_of(text) if text else []
    return values
