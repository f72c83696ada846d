"""Streams in Gemini's words: read from providers, worded for callers, watched while they are relayed."""

import contextlib
import json
from collections.abc import Iterable
from typing import Any

import httpx2
import official
import pytest
from gemini_vocabulary import ANSWERED, bare
from google import genai
from google.genai import types as google_types
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabulary import completions

import golden
from flyball.gateway.json_array import JsonArray
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
from flyball.llm.dialect import Frame
from flyball.llm.dialects.gemini import DIALECT
from flyball.llm.losses import Losses
from flyball.llm.messages import Citation, Signature, Stop, Text, Thinking, ToolCall
from flyball.llm.sse import Event, EventParser
from flyball.llm.usage import Usage

GIVEN = [case for case in golden.cases() if (case.kind, case.source, case.target) == ("streams", "gemini", "gemini")]
GOOGLES = Signature(data="c2lnbmVk", origin="google")


def event(body: Any) -> Event:
    data = json.dumps(body).encode()
    return Event(b"data: " + data + b"\r\n\r\n", data, "")


def chunk(*parts: dict[str, Any], finish: str = "", index: int = 0, **more: Any) -> Event:
    ended = {"finishReason": finish} if finish else {}
    return event({"candidates": [{"content": {"parts": list(parts)}, "index": index, **ended}], **more})


def read(*events: Event) -> tuple[list[StreamEvent], bool]:
    reader = DIALECT.reader()
    said = [one for each in events for one in reader.read(each)]
    said += reader.finish()
    return said, reader.done


def whole(said: Iterable[StreamEvent]) -> Completion:
    assembly = Assembly()
    for one in said:
        assembly.add(one)
    return assembly.whole()


def told(events: Iterable[StreamEvent], losses: Losses | None = None) -> bytes:
    writer = DIALECT.writer(Frame(id="x1", created=0, model="m"), losses or Losses("it"))
    return b"".join(map(writer.write, events)) + writer.end()


def chunks(stream: bytes) -> list[Any]:
    return [json.loads(one.data) for one in EventParser().feed(stream)]


def parts(stream: bytes) -> list[Any]:
    """All parts but the empty one at the end."""
    found = [part for one in chunks(stream) for part in one["candidates"][0]["content"]["parts"]]
    return found[:-1] if found[-1] == {"text": ""} else found


# -- read


def test_usage_may_follow_the_reason_for_the_end() -> None:
    said, done = read(chunk({"text": "Hi."}, finish="STOP"), event({"usageMetadata": {"promptTokenCount": 3}}))

    assert done
    assert [type(one) for one in said] == [Began, Opened, Grew, Counted, Closed, Stopped]


def test_a_stream_is_not_over_before_its_bytes_are() -> None:
    reader = DIALECT.reader()

    reader.read(chunk({"text": "Hi."}, finish="STOP"))

    assert not reader.done
    reader.finish()
    assert reader.done
    assert reader.finish() == []


def test_a_stream_whose_answer_has_no_reason_for_its_end_was_cut() -> None:
    assert read(chunk({"text": "Hi."})) == ([Began(), Opened(0, Text(text="")), Grew(0, "Hi.")], False)
    assert read() == ([], False)


def test_thoughts_and_texts_take_turns() -> None:
    said, _ = read(
        chunk({"text": "a", "thought": True}), chunk({"text": "b", "thought": True}, {"text": "c"}),
        chunk({"text": "d"}), chunk({"text": "e", "thought": True}), chunk({"text": "f"}, finish="STOP"),
    )  # fmt: skip

    assert whole(said).choices[0].parts == (Thinking(text="ab"), Text(text="cd"), Thinking(text="e"), Text(text="f"))


def test_what_is_signed_is_a_part_of_its_own() -> None:
    said, _ = read(
        chunk({"text": "a", "thoughtSignature": "c2lnbmVk"}), chunk({"text": "b"}), chunk({"text": "c"}),
        chunk({"text": "", "thoughtSignature": "c2lnbmVk"}, finish="STOP"),
    )  # fmt: skip

    assert whole(said).choices[0].parts == (
        Text(text="a", signature=GOOGLES), Text(text="bc"), Text(text="", signature=GOOGLES)
    )  # fmt: skip


def test_calls_come_whole_and_the_stop_is_a_call() -> None:
    one = {"functionCall": {"name": "f", "args": {"z": 1.0, "a": 2}, "id": "a"}, "thoughtSignature": "c2lnbmVk"}
    said, _ = read(chunk(one, {"functionCall": {"name": "g"}}), chunk({"text": ""}, finish="STOP"))

    (choice,) = whole(said).choices
    first, second = (part for part in choice.parts if isinstance(part, ToolCall))
    assert first == ToolCall(id="a", name="f", arguments='{"z": 1.0, "a": 2}', signature=GOOGLES)
    assert (second.name, second.arguments) == ("g", "{}")
    assert choice.stop == Stop(reason="tool_calls", native="STOP")


def test_counts_are_cumulative_and_are_told_when_they_change() -> None:
    early, late = {"promptTokenCount": 9, "cachedContentTokenCount": 4}, {"candidatesTokenCount": 2}
    said, _ = read(
        chunk({"text": "a"}, usageMetadata=early), chunk({"text": "b"}, usageMetadata=early),
        chunk(finish="STOP", usageMetadata=late),
    )  # fmt: skip

    assert [one.usage for one in said if isinstance(one, Counted)] == [
        Usage(input_tokens=5, cache_read_tokens=4),
        Usage(input_tokens=5, cache_read_tokens=4, output_tokens=2),
    ]


def test_what_the_text_rests_on_is_told_before_it_closes_in_characters_of_its_own_text() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 7, "endIndex": 10, "text": "öb"}, "groundingChunkIndices": [0]}
        ],
    }
    last = {"content": {"parts": [{"text": "", "thoughtSignature": "c2lnbmVk"}]}, "finishReason": "STOP"}
    said, _ = read(
        chunk({"text": "ä€ "}), chunk({"text": "x"}, {"functionCall": {"name": "f"}}, {"text": "öb"}),
        event({"candidates": [{**last, "groundingMetadata": grounding}]}),
    )  # fmt: skip

    parts_ = whole(said).choices[0].parts
    citation = Citation(url="https://a", title="A", quote="öb", start=0, end=2, dialect="gemini")
    assert parts_[0] == Text(text="ä€ x")
    assert parts_[2:] == (Text(text="öb", citations=(citation,)), Text(text="", signature=GOOGLES))


def test_sources_of_an_answer_that_has_no_open_text_are_named_as_lost() -> None:
    grounding = {"groundingChunks": [{"web": {"uri": "https://a"}}]}
    call = {"content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "STOP"}

    said, _ = read(event({"candidates": [{**call, "groundingMetadata": grounding}]}))

    assert Lost("groundingMetadata") in said


def test_several_answers_that_come_in_turns_stay_apart() -> None:
    said, done = read(
        chunk({"text": "a"}), chunk({"text": "b"}, index=1), chunk({"text": "c"}, finish="STOP"),
        chunk({"text": "d"}, index=1, finish="MAX_TOKENS"),
    )  # fmt: skip

    assert done
    assert [(one.parts, one.stop.reason) for one in whole(said).choices] == [
        ((Text(text="ac"),), "stop"),
        ((Text(text="bd"),), "max_tokens"),
    ]


def test_one_answer_that_does_not_end_makes_the_stream_a_cut_one() -> None:
    _, done = read(chunk({"text": "a"}), chunk({"text": "b"}, index=1), chunk(finish="STOP"))

    assert not done


def test_a_blocked_question_is_a_sound_stream() -> None:
    said, done = read(event({"promptFeedback": {"blockReason": "SAFETY"}}))

    assert done
    assert said == [Began(), Stopped(Stop(reason="content_filter", native="SAFETY"))]


def test_an_error_ends_everything() -> None:
    said, done = read(event({"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}))

    assert not done
    assert [one.trouble.status for one in said if isinstance(one, Broke)] == [503]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([
            *("candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name", "args"),
            *("inlineData", "mimeType", "finishReason", "index", "groundingMetadata", "groundingChunks", "web", "uri"),
            *("groundingSupports", "segment", "startIndex", "endIndex", "groundingChunkIndices", "logprobsResult"),
            *("chosenCandidates", "token", "usageMetadata", "promptTokenCount", "promptFeedback", "blockReason", "error"),
        ]), inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    st.lists(st.dictionaries(st.sampled_from(["content", "finishReason", "index", "groundingMetadata"]), JSON)), JSON
)
@settings(deadline=None)
def test_nonsense_is_a_value_error_and_nothing_else(candidates: list[Any], rest: Any) -> None:
    for body in ({"candidates": candidates, "usageMetadata": rest}, {"candidates": rest}, rest):
        for listen in (DIALECT.reader().read, DIALECT.watch().note):
            with contextlib.suppress(ValueError):
                listen(event(body))
        with contextlib.suppress(ValueError):
            DIALECT.parse_completion(json.dumps(body).encode())


# -- told


@given(completions(ANSWERED))
@settings(max_examples=80, deadline=None)
def test_a_stream_says_what_the_whole_answer_says(completion: Completion) -> None:
    said, done = read(*EventParser().feed(told(events_of(completion))))

    assert done
    assert bare(whole(said)) == completion


@pytest.mark.parametrize("case", GIVEN, ids=str)
def test_the_official_client_hears_every_stream_or_that_it_failed(case: golden.Case) -> None:
    said, ended = golden.read(case.fixture["given"], case.source)

    heard = official.hear("gemini", "".join(f"{one}\n\n" for one in golden.translated(case)["events"]).encode())

    if ended or any(isinstance(one, Broke) for one in said):
        assert heard.failed
        return
    (first, *_) = whole(said).choices
    calls = [part for part in first.parts if isinstance(part, ToolCall)]
    assert heard.text == "".join(part.text for part in first.parts if isinstance(part, Text))
    assert heard.calls == tuple((call.name, json.loads(call.arguments)) for call in calls)


def test_a_call_is_said_once_it_is_complete() -> None:
    writer = DIALECT.writer(Frame(id="x1", created=0, model="m"), Losses("it"))

    before = [
        writer.write(one) for one in (Began("x", "m"), Opened(0, ToolCall(id="a", name="f")), Grew(0, '{"z"'), Grew(0, ":1.0}"))
    ]  # fmt: skip
    after = writer.write(Closed(0))

    assert before == [b"", b"", b"", b""]
    assert b'{"functionCall":{"id":"a","name":"f","args":{"z":1.0}}}' in after


def test_a_call_that_nobody_closed_is_said_at_the_end_and_broken_arguments_as_text() -> None:
    stream = told([Opened(0, ToolCall(id="a", name="f")), Grew(0, '{"z":'), Stopped(Stop(reason="max_tokens"))])

    assert parts(stream) == [{"functionCall": {"id": "a", "name": "f", "args": {"unparsed_arguments": '{"z":'}}}]


def test_a_signature_before_a_part_stands_on_it_and_one_behind_everything_on_the_last_text() -> None:
    seal = Thinking(signature=GOOGLES, belongs_to_next=True)
    stream = told([
        Opened(0, seal), Closed(0), Opened(1, Text(text="")), Grew(1, "a"), Grew(1, "b"), Closed(1), Opened(2, seal),
        Closed(2), Stopped(Stop(reason="stop")),
    ])  # fmt: skip

    assert parts(stream) == [
        {"text": "a", "thoughtSignature": "c2lnbmVk"}, {"text": "b"}, {"text": "", "thoughtSignature": "c2lnbmVk"}
    ]  # fmt: skip


def test_another_vendors_signature_follows_its_thought_in_an_envelope() -> None:
    theirs = Signature(data="EqQB", origin="anthropic")
    stream = told([
        Opened(0, Thinking()), Grew(0, "Hm."), Signed(0, theirs), Closed(0), Opened(1, Text(text="")), Grew(1, "Hi."),
        Closed(1), Stopped(Stop(reason="stop")),
    ])  # fmt: skip
    said, _ = read(*EventParser().feed(stream))

    assert [part.get("thought") for part in parts(stream)] == [True, True, None]
    assert whole(said).choices[0].parts == (Thinking(text="Hm.", signature=theirs), Text(text="Hi."))


def test_citations_come_at_the_end_in_bytes_of_all_that_was_said() -> None:
    citation = Citation(url="https://a", title="A", start=0, end=2)
    stream = told([
        Opened(0, Text(text="")), Grew(0, "ä€"), Closed(0), Opened(1, Text(text="")), Grew(1, "öb"), Cited(1, citation),
        Closed(1), Stopped(Stop(reason="stop")),
    ])  # fmt: skip

    (support,) = chunks(stream)[-1]["candidates"][0]["groundingMetadata"]["groundingSupports"]
    assert support["segment"] == {"startIndex": 5, "endIndex": 8, "text": "öb"}


def test_usage_the_reason_and_what_the_gateway_adds_come_in_the_last_chunk() -> None:
    frame = Frame(id="x1", created=0, model="m")
    writer = DIALECT.writer(frame, Losses("it"))
    said = writer.write(Opened(0, Text(text=""))) + writer.write(Grew(0, "Hi.")) + writer.write(Closed(0))
    said += writer.write(Counted(Usage(input_tokens=3, output_tokens=2), {})) + writer.write(
        Stopped(Stop(reason="stop"))
    )
    frame.extra["flyball"] = {"dropped": ["seed"]}

    first, last = chunks(said + writer.end())

    assert "usageMetadata" not in first
    assert last["usageMetadata"] == {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["flyball"] == {"dropped": ["seed"]}


def test_a_chat_of_the_official_client_keeps_the_turn_that_it_was_told() -> None:
    stream = told([Opened(0, Text(text="")), Grew(0, "Hi."), Closed(0), Stopped(Stop(reason="stop"))])

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        options = google_types.HttpOptions(base_url="http://t", httpx_client=http)
        chat = genai.Client(api_key="k", http_options=options).chats.create(model="m")
        list(chat.send_message_stream("Hello?"))

    assert [turn.role for turn in chat.get_history(curated=True)] == ["user", "model", "model"]


def test_a_stream_that_breaks_is_heard_as_an_error_and_so_is_one_in_an_array() -> None:
    writer = DIALECT.writer(Frame(id="x1", created=0, model="m"), Losses("it"))
    begun = writer.write(Opened(0, Text(text=""))) + writer.write(Grew(0, "Hi."))

    broken = begun + writer.broke(502, "the upstream broke off", code="upstream_cut")

    assert "the upstream broke off" in official.hear("gemini", broken).failed
    as_array = JsonArray()(broken, True)
    assert [next(iter(one)) for one in json.loads(as_array)] == ["candidates", "error"]


def test_a_stream_as_an_array_is_one_json_value() -> None:
    array = JsonArray()
    stream = DIALECT.keep_alive + told(
        [Opened(0, Text(text="")), Grew(0, "Hi."), Closed(0), Stopped(Stop(reason="stop"))]
    )

    found = json.loads(array(stream, False) + array(b"", True))

    assert [one["candidates"][0]["content"]["parts"][0]["text"] for one in found] == ["Hi.", ""]


# -- watched


def test_a_watch_knows_the_end_where_every_answer_has_ended() -> None:
    watch = DIALECT.watch()

    notes = [watch.note(one) for one in (
        chunk({"text": "a"}, modelVersion="gemini-3"), chunk({"text": "b"}, index=1), chunk({"text": "c"}, finish="STOP"),
        chunk({"text": "d"}, index=1, finish="MAX_TOKENS"), event({"usageMetadata": {"promptTokenCount": 3}}),
    )]  # fmt: skip

    assert [note.text for note in notes] == ["a", "", "c", "", ""]
    assert [note.finish_reason for note in notes] == ["", "", "", "MAX_TOKENS", ""]
    assert [note.done for note in notes] == [False] * 5
    assert notes[0].model == "gemini-3"
    assert notes[-1].usage == Usage(input_tokens=3)


@pytest.mark.parametrize(
    ("part", "is_content"),
    [
        ({"text": ""}, False),
        ({"text": "Hi."}, True),
        ({"text": "Hm.", "thought": True}, True),
        ({"text": "", "thoughtSignature": "c2ln"}, True),
        ({"functionCall": {"name": "f"}}, True),
        ({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, True),
    ],
)
def test_a_watch_knows_content_from_silence(part: dict[str, Any], is_content: Any) -> None:
    assert DIALECT.watch().note(chunk(part)).has_content == is_content


def test_a_watch_sees_a_blocked_question_and_an_error() -> None:
    blocked = DIALECT.watch().note(event({"promptFeedback": {"blockReason": "SAFETY"}}))
    failed = DIALECT.watch().note(event({"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED"}}))

    assert (blocked.finish_reason, blocked.has_content) == ("SAFETY", True)
    assert failed.trouble is not None
    assert failed.trouble.code == "RESOURCE_EXHAUSTED"
