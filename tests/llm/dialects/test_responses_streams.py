"""What is streamed in OpenAI's Responses: read from providers, watched while it is relayed, said to callers."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_responses import HOLDS, NAME, STREAMS, USAGE, answer, frame, message, named
from vocabulary import completions

import golden
from flyball.llm.completions import (
    Assembly,
    Began,
    Broke,
    Cited,
    Closed,
    Completion,
    Counted,
    Grew,
    Lost,
    Opened,
    Signed,
    Stopped,
    StreamEvent,
    events_of,
)
from flyball.llm.dialects.openai_responses import DIALECT
from flyball.llm.losses import Losses
from flyball.llm.messages import Citation, Part, Refusal, Signature, Stop, Text, Thinking, ToolCall
from flyball.llm.sse import Event, EventParser

PATHS = sorted(STREAMS.glob("*.json"))
FAILING = ("failed", "error", "cut-before", "nothing-at-all", "wrong-type")


def told(events: Iterable[StreamEvent], **fields: Any) -> bytes:
    """A stream as a caller gets it."""
    writer = DIALECT.writer(frame(**fields), Losses("the caller"))
    return b"".join([writer.write(event) for event in events]) + writer.end()


def events(stream: bytes) -> list[dict[str, Any]]:
    found = EventParser().feed(stream)
    for event in found:
        assert json.loads(event.data)["type"] == event.name
    return [json.loads(event.data) for event in found]


def kinds(stream: bytes) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events(stream)]


def said_by(*bodies: dict[str, Any]) -> list[StreamEvent]:
    """What a reader makes of these events."""
    reader = DIALECT.reader()
    return [one for body in bodies for one in reader.read(event(body))]


def event(body: Any) -> Event:
    data = json.dumps(body).encode()
    return Event(data, data, "")


def assembled(said: Iterable[StreamEvent]) -> Completion:
    assembly = Assembly()
    for one in said:
        assembly.add(one)
    return assembly.whole()


def given_in(name: str) -> list[str]:
    found: list[str] = json.loads((STREAMS / f"{name}.json").read_text())["given"]
    return found


@given(completions(HOLDS))
@settings(max_examples=120, deadline=None)
def test_what_is_streamed_is_read_back_the_same(completion: Completion) -> None:
    reader, parser = DIALECT.reader(), EventParser()

    found = assembled(one for each in parser.feed(told(events_of(completion))) for one in reader.read(each))

    (choice,), (meant,) = found.choices, completion.choices
    assert reader.done
    assert named(choice.parts) == named(meant.parts)
    refused = any(isinstance(part, Refusal) for part in meant.parts) and meant.stop.reason == "stop"
    assert choice.stop.reason == ("refusal" if refused else meant.stop.reason)
    assert found.usage == completion.usage


@given(completions(HOLDS))
@settings(max_examples=60, deadline=None)
def test_a_stream_and_a_whole_answer_say_the_same(completion: Completion) -> None:
    *_, last = events(told(events_of(completion)))

    whole = json.loads(DIALECT.write_completion(completion, frame(), Losses(NAME)))

    assert last["response"] == whole


@given(completions(HOLDS))
@settings(max_examples=40, deadline=None)
def test_the_official_client_puts_the_pieces_together(completion: Completion) -> None:
    heard = official.hear(NAME, told(events_of(completion)))

    calls = [part for part in completion.choices[0].parts if isinstance(part, ToolCall)]
    assert not heard.failed
    assert heard.text == completion.text
    assert heard.calls == tuple((call.name, call.arguments) for call in calls)


@given(st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.sampled_from(
        ["response.output_text.delta", "response.output_item.added", "response.output_item.done", "response.completed",
         "response.output_text.annotation.added", "error", "function_call", "message", "reasoning", "output_text"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["type", "delta", "item", "output_index", "response", "output", "content", "annotation", "error", "text",
             "call_id", "name", "summary", "logprobs", "usage", "status", "id", "arguments", "content_index"]
        ), inner, max_size=6,
    ),
    max_leaves=12,
))  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_nonsense_in_a_stream_is_a_value_error(value: Any) -> None:
    for body in (
        value,
        {"type": "response.output_item.done", "item": value},
        {"type": "response.completed", "response": value},
    ):
        for listen in (DIALECT.reader().read, DIALECT.watch().note):
            try:
                listen(event(body))
            except ValueError:
                continue


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_fixture_is_read_to_its_end_or_to_its_failure(path: Path) -> None:
    said, ended = golden.read(json.loads(path.read_text())["given"], NAME)

    failed = bool(ended) or any(isinstance(one, Broke) for one in said)
    assert failed == path.stem.startswith(FAILING)
    opened = [one.at for one in said if isinstance(one, Opened)]
    assert opened == sorted(set(opened))
    if not failed:
        assert sorted(one.at for one in said if isinstance(one, Closed)) == opened
        assert [type(one) for one in said].count(Began) == 1
        assert isinstance(said[0], Began) or path.stem == "no-beginning"


@pytest.mark.parametrize(
    "path", [path for path in PATHS if not path.stem.startswith(FAILING)], ids=lambda path: path.stem
)
def test_what_came_in_pieces_is_what_the_last_event_says(path: Path) -> None:
    given = json.loads(path.read_text())["given"]
    said, _ = golden.read(given, NAME)
    terminal = next(text for text in given if '"response.completed"' in text or '"response.incomplete"' in text)
    if path.stem == "filtered":
        return  # its last event forgets what it said

    whole = DIALECT.parse_completion(json.dumps(json.loads(terminal.split("data: ")[1])["response"]).encode())

    assert isinstance(whole, Completion)
    found = assembled(said)
    assert (found.choices[0].parts, found.choices[0].stop) == (whole.choices[0].parts, whole.choices[0].stop)
    assert (found.usage, found.leftovers) == (whole.usage, whole.leftovers)


# -- read


def test_interleaved_calls_are_told_apart_by_their_items() -> None:
    said, _ = golden.read(given_in("parallel-calls-interleave"), NAME)

    parts = assembled(said).choices[0].parts

    assert parts == (
        ToolCall(id="call_1", name="look", arguments='{"z":"up"}'),
        ToolCall(id="call_2", name="look", arguments='{"z":"down"}'),
    )


def test_words_are_told_as_they_come_and_once() -> None:
    said, _ = golden.read(given_in("text"), NAME)

    assert [one.text for one in said if isinstance(one, Grew)] == ["It is ", "a door."]


def test_a_call_is_known_before_its_arguments() -> None:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": ""}

    assert said_by({"type": "response.output_item.added", "output_index": 3, "item": item}) == [
        Opened(0, ToolCall(id="call_1", name="look"))
    ]


def test_pieces_of_an_item_that_never_began_are_told_with_its_end() -> None:
    done = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"z":1}'}

    said = said_by(
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"z":1}'},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
    )

    assert [one.text for one in said if isinstance(one, Grew)] == ['{"z":1}']


def test_a_call_without_a_call_id_is_named_by_its_items() -> None:
    item = {"type": "function_call", "id": "fc_1", "name": "look", "arguments": "{}"}

    (opened, *_) = said_by({"type": "response.output_item.done", "output_index": 0, "item": item})

    assert opened == Opened(0, ToolCall(id="fc_1", name="look"))


@pytest.mark.parametrize("unknown", ["name", "call_id"])
def test_a_call_is_told_when_its_name_and_its_id_are_known(unknown: str) -> None:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{}"}

    said = said_by(
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, unknown: None, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    )

    assert assembled(said).choices[0].parts == (ToolCall(id="call_1", name="look", arguments="{}"),)


@pytest.mark.parametrize(
    "last",
    [
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "A door."},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": message({"type": "output_text", "text": "A door."}),
        },
    ],
)
def test_pieces_that_did_not_come_are_told_with_the_whole(last: dict[str, Any]) -> None:
    piece = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "A d"}

    assert [one.text for one in said_by(piece, last) if isinstance(one, Grew)] == ["A d", "oor."]


@pytest.mark.parametrize("answer_", [{"id": "resp_1"}, {"id": "resp_1", "status": "in_progress", "output": []}])
def test_a_failure_without_a_word_is_no_answer(answer_: dict[str, Any]) -> None:
    body = {"type": "response.failed", "response": answer_}

    (said,) = said_by(body)

    assert isinstance(said, Broke)
    assert DIALECT.watch().note(event(body)).trouble == said.trouble


def test_an_answer_whose_end_has_no_status_ended_as_its_event_says() -> None:
    stops = [
        one.stop.reason
        for kind in ("completed", "incomplete")
        for one in said_by({"type": f"response.{kind}", "response": {"output": []}})
        if isinstance(one, Stopped)
    ]

    assert stops == ["stop", "max_tokens"]


def test_how_a_stream_was_served_is_told() -> None:
    whole = {
        "status": "completed",
        "output": [],
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "service_tier": "flex",
    }

    (counted,) = [one for one in said_by({"type": "response.completed", "response": whole}) if isinstance(one, Counted)]

    assert counted.service_tier == "flex"


def test_paragraphs_of_a_thought_are_kept_apart_while_they_come() -> None:
    said, _ = golden.read(given_in("summary-in-parts"), NAME)

    assert [one.text for one in said if isinstance(one, Grew)][:3] == ["A wall?", "\n\nA ", "door."]
    assert [one.signature for one in said if isinstance(one, Signed)] == [
        Signature(data="gAAAAsealed==", origin="openai", id="rs_01")
    ]


def test_an_item_that_nobody_knows_is_named_and_nothing_else_is_lost() -> None:
    odd = {"type": "brand_new_item", "id": "x_1", "payload": {"a": 1}}
    text = message({"type": "output_text", "text": "A door."})

    said = said_by(
        {"type": "response.output_item.added", "output_index": 0, "item": odd},
        {"type": "response.brand_new.delta", "output_index": "odd", "delta": {"deep": 1}},
        {"type": "response.output_item.done", "output_index": 0, "item": odd},
        {"type": "response.output_item.done", "output_index": 1, "item": text},
    )

    assert [one.name for one in said if isinstance(one, Lost)] == ["output[0]"]
    assert assembled(said).text == "A door."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "error", "code": "server_error", "message": "Broke.", "param": None}, ("Broke.", "server_error", 500)),
        ({"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Slow."}}, ("Slow.", "rate_limit_exceeded", 429)),
        ({"error": {"message": "Gone.", "code": 502}}, ("Gone.", "502", 502)),
        (
            {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "No."}}},
            ("No.", "server_error", 500),
        ),
        ({"type": "response.failed", "response": {"status": "failed", "error": None}}, ("no message", "", 0)),
    ],
)  # fmt: skip
def test_a_failure_is_heard_by_the_reader_and_by_the_watch(
    body: dict[str, Any], expected: tuple[str, str, int]
) -> None:
    (broke,) = said_by(body)
    trouble = DIALECT.watch().note(event(body)).trouble

    assert isinstance(broke, Broke)
    assert broke.trouble == trouble
    assert (broke.trouble.message, broke.trouble.code, broke.trouble.status) == expected


# -- watched


def test_a_watch_holds_back_what_says_nothing_yet() -> None:
    watch, parser = DIALECT.watch(), EventParser()
    notes = [
        (each.name, watch.note(each)) for text in given_in("thought-then-text") for each in parser.feed(text.encode())
    ]

    first = next(name for name, note in notes if note.has_content)

    assert first == "response.reasoning_summary_text.delta"
    assert "".join(note.text for _, note in notes) == "A door."
    last = notes[-1][1]
    assert (last.done, last.finish_reason, last.model) == (True, "completed", "gpt")
    assert last.usage == USAGE


def test_a_failure_of_a_relayed_stream_goes_on_counting() -> None:
    watch, parser = DIALECT.watch(), EventParser()
    for text in given_in("text")[:5]:
        for each in parser.feed(text.encode()):
            watch.note(each)

    said = events(watch.broke(502, "it broke", code="upstream_cut"))

    assert [one["sequence_number"] for one in said] == [5]


def test_a_call_is_content_as_soon_as_it_begins() -> None:
    item = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": ""}

    assert DIALECT.watch().note(event({"type": "response.output_item.added", "item": item})).has_content
    assert not DIALECT.watch().note(event({"type": "response.output_item.added", "item": message()})).has_content


# -- said


def test_a_text_has_the_whole_grammar() -> None:
    stream = told(events_of(answer(Text(text="A door."), usage=USAGE)))

    assert kinds(stream) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert [one["sequence_number"] for one in events(stream)] == list(range(9))


def test_a_call_has_the_whole_grammar_and_its_name_where_it_is_done() -> None:
    stream = told(events_of(answer(ToolCall(id="call_1", name="look"), reason="tool_calls")))

    *_, arguments, item, last = events(stream)
    assert kinds(stream)[2:] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert (arguments["name"], arguments["arguments"]) == ("look", "{}")
    assert item["item"] == last["response"]["output"][0]


def test_a_custom_call_has_events_of_its_own() -> None:
    stream = told(events_of(answer(ToolCall(id="call_1", name="sql", arguments="select 1", custom=True))))

    assert kinds(stream)[2:6] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip


def test_a_thought_has_the_whole_grammar_and_its_seal_at_its_end() -> None:
    thought = Thinking(text="Hm.", signature=Signature(data="EqQB", origin="anthropic"))

    stream = told(events_of(answer(thought)))

    assert kinds(stream)[2:8] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done",
        "reasoning_summary_part.done", "output_item.done",
    ]  # fmt: skip
    assert events(stream)[7]["item"]["encrypted_content"] == "flyball:anthropic:::EqQB"


def test_sources_are_told_between_the_words_and_their_end() -> None:
    cited = Text(text="A door.", citations=(Citation(url="https://example.org", title="Doors", start=2, end=6),))

    stream = told(events_of(answer(cited)))

    at = kinds(stream).index("output_text.annotation.added")
    assert kinds(stream)[at - 1 : at + 2] == ["output_text.delta", "output_text.annotation.added", "output_text.done"]
    assert events(stream)[at]["annotation"]["start_index"] == 2


def test_texts_that_follow_each_other_are_parts_of_one_message() -> None:
    found = events(told(events_of(answer(Text(text="One."), Text(text="Two."), ToolCall(id="c", name="look")))))

    added = [one for one in found if one["type"] == "response.content_part.added"]
    assert [(one["output_index"], one["content_index"]) for one in added] == [(0, 0), (0, 1)]
    items = [one["item"]["type"] for one in found if one["type"] == "response.output_item.done"]
    assert items == ["message", "function_call"]


def test_a_message_is_not_done_before_its_words_are() -> None:
    call = ToolCall(id="call_1", name="look")
    said = [
        Began("x", "m"),
        Opened(0, Text(text="")),
        Grew(0, "I "),
        Opened(1, call),
        Grew(0, "look."),
        Closed(1),
        Closed(0),
    ]

    stream = told([*said, Stopped(Stop(reason="tool_calls"))])

    done = [one["item"] for one in events(stream) if one["type"] == "response.output_item.done"]
    assert [item["type"] for item in done] == ["function_call", "message"]
    assert done[1]["content"][0]["text"] == "I look."
    assert official.hear(NAME, stream) == official.Heard("I look.", (("look", "{}"),))


def test_what_nobody_closed_is_closed_at_the_end() -> None:
    stream = told([Opened(0, Text(text="")), Grew(0, "A do"), Opened(1, ToolCall(id="c", name="look")), Grew(1, '{"z'),
                   Stopped(Stop(reason="max_tokens"))])  # fmt: skip

    *_, last = events(stream)
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in last["response"]["output"]] == ["completed", "incomplete"]


def test_a_message_that_was_cut_is_done_as_incomplete() -> None:
    said = events(told(events_of(answer(Text(text="A d"), reason="max_tokens"))))

    done = [one["item"]["status"] for one in said if one["type"] == "response.output_item.done"]
    assert done == [said[-1]["response"]["output"][0]["status"]] == ["incomplete"]


def test_a_failure_ends_the_stream_and_raises_in_the_official_client() -> None:
    writer = DIALECT.writer(frame(), Losses("the caller"))
    begun = b"".join(writer.write(one) for one in [Began("x", "m"), Opened(0, Text(text="")), Grew(0, "It is")])

    stream = begun + writer.broke(429, "Slow down.", code="rate_limit_exceeded")

    assert kinds(stream)[-1] == "error"
    assert official.hear(NAME, stream).failed == "Slow down."


def test_a_failure_before_anything_raises_too() -> None:
    assert official.hear(NAME, DIALECT.watch().broke(503, "Away.", code="upstream_away")).failed == "Away."


def test_what_the_gateway_adds_stands_in_the_last_event_and_in_its_answer() -> None:
    *_, last = events(told(events_of(answer(Text(text="A"))), extra={"flyball": {"dropped": ["seed"]}}))

    assert last["flyball"] == last["response"]["flyball"] == {"dropped": ["seed"]}


def test_usage_stands_in_the_last_event() -> None:
    *_, last = events(told([*events_of(answer(Text(text="A"))), Counted(USAGE, {})]))

    assert last["response"]["usage"]["total_tokens"] == 109


def test_a_second_answer_and_foreign_sources_are_named() -> None:
    losses = Losses("the caller")
    writer = DIALECT.writer(frame(), losses)
    odd = Citation(kind="document", title="A paper", dialect="anthropic_messages")

    for one in (Opened(0, Text(text="")), Grew(0, "A"), Cited(0, odd), Opened(0, Text(text=""), 1), Lost("container")):
        writer.write(one)

    assert losses.dropped == ("citations", "choices[1]", "container")


@pytest.mark.parametrize(
    "part",
    [
        Thinking(text="Hm.", signature=Signature(data="gAAA", origin="openai", id="rs_9")),
        Thinking(redacted=True, signature=Signature(data="EmwK", origin="anthropic")),
        Thinking(signature=Signature(data="c2ln", origin="google"), belongs_to_next=True),
        Thinking(text="Hm."),
    ],
)
def test_a_streamed_thought_comes_back_as_it_was(part: Part) -> None:
    *_, last = events(told(events_of(answer(part, Text(text="So.")))))
    body = {"model": "m", "input": [{"role": "user", "content": "x"}, *last["response"]["output"]]}

    turn = DIALECT.parse_request(DIALECT.ask(msgspec.json.encode(body))).messages[1]

    assert turn.parts[0] == part
