"""Spans that are understood together become the same columns as each by itself, whatever they tell and whoever stands beside."""

import json
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.traces.alike import Foreign, understood
from flyball.traces.columns import columns_of, table_of
from flyball.traces.dialects.tables import DIALECTS
from flyball.traces.normalising import normalise
from flyball.traces.otlp.decoding import told_spans
from flyball.traces.otlp.json_reading import request_from_json
from flyball.traces.tables import SPANS
from flyball.traces.told import Told, ToldEvent, ToldLog, ToldResource, ToldScope

TESTS = Path(__file__).parents[1]
NAMES = sorted(
    {name for dialect in DIALECTS for names in (*dialect.fields.values(), dialect.kinds) for name in names}
    | {"gen_ai.request.temperature", "gen_ai.prompt.0.content", "gen_ai.completion.0.finish_reason", "llm.input_messages.0.message.role"}
)  # fmt: skip
SCOPES = sorted({"", *(scope for dialect in DIALECTS for scope in dialect.scopes)})
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**60), st.floats(), st.binary(max_size=4), st.text(max_size=8),
    st.sampled_from([
        "", "llm", "chat", "TOOL", '"gpt-4o"', "openai/gpt-4o", '["stop"]', '{"input": 3, "total": 9}', "12", "ERROR", "x" * 1_200,
        '[{"role": "user", "content": "hi"}]', '{"role": "assistant", "content": "yes"}', "2026-01-01T00:00:00Z", "\ud800", " plain",
    ]),
    st.lists(st.text(max_size=3), max_size=2), st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=1),
)  # fmt: skip


def recorded() -> list[Foreign]:
    """Every span that the suite has of a real or documented producer."""
    found = []
    for file in sorted((TESTS / "traces/dialects/recorded").glob("*.json")):
        for case in msgspec.json.decode(file.read_bytes()):
            told = Told(
                "a" * 32, f"{len(found):016x}", case["name"], 1_000, 2_000_000_000, kind=case.get("kind", 1),
                status_code=case.get("status_code", 0), attributes=case["attributes"], scope=ToldScope(case.get("scope", "")),
                events=msgspec.convert(case.get("events", []), list[ToldEvent]), resource=ToldResource(case.get("resource", {})),
            )  # fmt: skip
            found.append(Foreign("default", told, msgspec.convert(case.get("logs", []), list[ToldLog])))
    for file in sorted((TESTS / "instrumentors/recorded").glob("*.json")):
        for request in json.loads(file.read_text())["traces"]:
            body = request_from_json("traces", json.dumps(request).encode())[0]
            found += [Foreign("other", told) for told in told_spans(body)]
    return found


def price(_provider, model, usage, _when_ns):
    return (usage.total_tokens * 7, "v1") if model.startswith("g") else None


def prices(project):
    return price if project == "other" else None


def check(foreign):
    order, columns = understood(foreign, prices)
    expected = columns_of(
        [normalise(each.told, each.logs, price=prices(each.project)) for each in (foreign[place] for place in order)]
    )

    assert sorted(order) == list(range(len(foreign)))
    assert columns.keys() == expected.keys()
    for name, cells in columns.items():
        assert [repr(cell) for cell in cells] == [repr(cell) for cell in expected[name]], name
    assert table_of(SPANS.arrow, columns).num_rows == len(foreign)


def test_what_every_recorded_producer_tells_is_understood_together_as_alone():
    found = recorded()
    assert len(found) > 150
    check(found)
    # Again and again the same, as batches have them.
    crowd = [each for each in found for _ in range(3)]
    random.Random(5).shuffle(crowd)
    check(crowd)


@pytest.mark.parametrize("each", ["attributes that vary", "attributes that are left out"])
def test_spans_of_one_library_whose_values_differ(each):
    rows = []
    for number in range(40):
        attributes = {
            "gen_ai.operation.name": "chat" if number % 3 else "execute_tool",
            "gen_ai.provider.name": ["openai", "gcp.gemini", 7][number % 3],
            "gen_ai.request.model": f"openai/gpt-{number % 4}",
            "gen_ai.request.temperature": number / 7,
            "gen_ai.usage.input_tokens": number if number % 5 else str(number),
            "gen_ai.usage.output_tokens": 2 * number,
            "gen_ai.input.messages": '[{"role": "user", "content": "hi"}]' if number % 4 else f"text {number}",
            "gen_ai.output.messages": f"answer {number}",
            "gen_ai.response.finish_reasons": ["stop"] if number % 2 else ["length"],
        }
        if "left out" in each:
            attributes = {name: value for name, value in attributes.items() if (hash(name) + number) % 5}
        told = Told(
            f"{number:032x}", "b" * 16, "n", 10, 20, parent_id="c" * 16 if number % 2 else "", attributes=attributes
        )
        rows.append(Foreign("default" if number % 2 else "other", told))
    check(rows)


SPANS_TOLD = st.builds(
    Told,
    trace_id=st.just("a" * 32),
    span_id=st.just("b" * 16),
    name=st.text(max_size=3) | st.just("n" * 1_100),
    start_ns=st.sampled_from([1, 10**18, 2**63]),
    end_ns=st.sampled_from([1, 10**18 + 5, 2**64 - 1]),
    parent_id=st.sampled_from(["", "c" * 16]),
    flags=st.sampled_from([0, 0x300, 0x100]),
    kind=st.integers(-1, 7),
    status_code=st.integers(-1, 4),
    status_message=st.sampled_from(["", "broken"]),
    attributes=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8),
    resource=st.builds(ToldResource, st.dictionaries(st.sampled_from(["service.name", "service.version"]), VALUES, max_size=2)),
    scope=st.builds(ToldScope, st.sampled_from(SCOPES)),
    events=st.just([]) | st.just([ToldEvent(5, "exception", {"exception.type": "E"})]),
)  # fmt: skip


@given(
    st.lists(st.builds(Foreign, st.sampled_from(["default", "other"]), SPANS_TOLD, st.just(())), min_size=1, max_size=6)
)
def test_whatever_spans_tell_they_are_understood_together_as_alone(foreign):
    check([*foreign, *foreign])
