"""Every golden fixture in every dialect: as it stands in its file, and as the vendors' own clients take it."""

import json
from typing import Any

import jiter
import official
import pytest

import golden
from flyball.llm.completions import Assembly, Broke, Completion
from flyball.llm.messages import Refusal, Text, ToolCall
from flyball.llm.translation import dialect
from golden import Case

CASES = golden.cases()
REQUESTS = [case for case in CASES if case.kind == "requests"]
ANSWERS = [case for case in CASES if case.kind == "answers"]
STREAMS = [case for case in CASES if case.kind == "streams"]


def expected(case: Case) -> dict[str, Any]:
    """What the file expects; an empty one where it says nothing."""
    found: dict[str, Any] = case.fixture.get("expect", {}).get(case.target, {})
    return found


def known(case: Case) -> bool:
    """Whether the official client has types for what the fixture holds: some come from vendors who are ahead of it."""
    return case.target not in case.fixture.get("beyond_the_client_of", ())


def test_there_are_at_least_four_hundred_files_and_each_says_which_trap_it_guards() -> None:
    fixtures = {case.path: case.fixture for case in CASES}

    assert len(fixtures) >= 400
    assert all(len(fixture["trap"].split()) >= 3 for fixture in fixtures.values())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_translation_is_what_its_fixture_expects(case: Case) -> None:
    assert golden.text_of(golden.translated(case)) == golden.text_of(expected(case))


@pytest.mark.parametrize(
    "case", [case for case in REQUESTS if "body" in expected(case) and case.target != case.source], ids=str
)
def test_the_vendor_takes_every_request(case: Case) -> None:
    passed_through = golden.parsed(case.fixture["given"], case.source).extra
    body = {name: value for name, value in expected(case)["body"].items() if name not in passed_through}

    official.judge_request(case.target, body)


@pytest.mark.parametrize("case", [case for case in ANSWERS if "body" in expected(case) and known(case)], ids=str)
def test_the_callers_client_hears_the_whole_answer(case: Case) -> None:
    said = dialect(case.source).parse_completion(json.dumps(case.fixture["given"], ensure_ascii=False).encode())

    heard = official.judge_answer(case.target, expected(case)["body"])

    assert isinstance(said, Completion)
    _same(heard, said)


@pytest.mark.parametrize("case", [case for case in STREAMS if known(case)], ids=str)
def test_the_callers_client_hears_the_whole_stream_or_that_it_failed(case: Case) -> None:
    said, ended = golden.read(case.fixture["given"], case.source)
    assembly = Assembly()

    heard = official.hear(case.target, "".join(f"{event}\n\n" for event in expected(case)["events"]).encode())

    if ended or any(isinstance(one, Broke) for one in said) or case.target in case.fixture.get("breaks_for", ()):
        assert heard.failed
        return
    for one in said:
        assembly.add(one)
    _same(heard, assembly.whole())


def _same(heard: official.Heard, said: Completion) -> None:
    assert not heard.failed
    parts = said.choices[0].parts if said.choices else ()
    text = "".join(part.text for part in parts if isinstance(part, Text))
    refused = "".join(part.text for part in parts if isinstance(part, Refusal))
    assert heard.text in (text, text + refused)
    calls = [part for part in parts if isinstance(part, ToolCall)]
    assert [name for name, _ in heard.calls] == [call.name for call in calls]
    for (_, arguments), call in zip(heard.calls, calls, strict=True):
        assert _value(arguments) in _forms(call)


def _forms(call: ToolCall) -> list[Any]:
    """What an application may hear of a call's arguments: they themselves, or where only an object can be said, what stands for them."""
    if call.custom:
        return [call.arguments, {"input": call.arguments}]
    value = _value(call.arguments or "{}")
    if isinstance(value, dict):
        return [value]
    # An answer that was cut off in the middle of a call: Anthropic's client keeps what could be read so far.
    so_far = (
        [jiter.from_json(call.arguments.encode(), partial_mode=True)]
        if call.arguments.lstrip().startswith('{"')
        else []
    )
    return [value, {"unparsed_arguments": call.arguments}, {}, *so_far]


def _value(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
