"""Spans as libraries write them, dialect by dialect, and the records that they become: `recorded/<dialect>.json`."""

from pathlib import Path

import msgspec
import pytest

from flyball.traces.attributes import attributes_from_json, attributes_json
from flyball.traces.dialects.tables import DIALECTS
from flyball.traces.normalising import UNREAD, normalise
from flyball.traces.told import Told, ToldEvent, ToldLog, ToldResource, ToldScope

RECORDED = Path(__file__).parent / "recorded"
CASES = [
    pytest.param(case, id=f"{file.stem}: {case['about']}")
    for file in sorted(RECORDED.glob("*.json"))
    for case in msgspec.json.decode(file.read_bytes())
]


def told(case):
    return Told(
        trace_id="a" * 32,
        span_id="b" * 16,
        name=case["name"],
        start_ns=1_000,
        end_ns=2_000_000_000,
        kind=case.get("kind", 1),
        status_code=case.get("status_code", 0),
        status_message=case.get("status_message", ""),
        attributes=case["attributes"],
        events=msgspec.convert(case.get("events", []), list[ToldEvent]),
        resource=ToldResource(case.get("resource", {"service.name": "shop"})),
        scope=ToldScope(case.get("scope", ""), schema_url=case.get("schema_url", "")),
    )


def logs_of(case):
    return msgspec.convert(case.get("logs", []), list[ToldLog])


def seen(span, field):
    """A field as a case expects it: what is left out of a usage is 0, and texts may be told as the JSON that they are."""
    value = msgspec.to_builtins(getattr(span, field))
    if field == "usage":
        return {name: count for name, count in value.items() if count}
    return list(value) if field == "tags" else value


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_span_becomes_the_record_that_it_should(case):
    expected = dict(case["expected"])
    span = normalise(told(case), logs_of(case))
    assert span.dialect != UNREAD
    for side in ("input", "output"):
        if not isinstance(expected.get(side, ""), str):
            expected[side] = msgspec.json.encode(expected[side]).decode()

    assert {field: seen(span, field) for field in expected} == expected
    assert msgspec.convert(msgspec.to_builtins(span), type(span)) == span


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_span_reads_the_same_after_it_was_stored(case):
    span = told(case)
    stored = told(case | {"attributes": attributes_from_json(attributes_json(case["attributes"]))})

    assert normalise(stored, logs_of(case)) == normalise(span, logs_of(case))


def test_every_dialect_has_recorded_spans():
    assert {dialect.name for dialect in DIALECTS} == {file.stem for file in RECORDED.glob("*.json")}


def test_no_two_dialects_mean_different_things_by_a_name():
    told_as = {}
    for dialect in DIALECTS:
        for field, names in dialect.fields.items():
            for name in names:
                told_as.setdefault(name, set()).add(field)

    assert {name: fields for name, fields in told_as.items() if len(fields) > 1} == {}
