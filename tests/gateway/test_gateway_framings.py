"""The same stream in every framing that a vendor may choose, cut wherever a network may cut it: all callers read the same words."""

import asyncio
import contextlib

import faces
import msgspec
import pytest
from faces import ANTHROPIC, BEDROCK, CALLERS, CHAT, GEMINI, RESPONSES
from surroundings import KEY

from flyball.gateway.relay import MOST_HELD_BYTES, MOST_HELD_EVENTS
from flyball.testing import Turn
from flyball.testing.bedrock import frame

WORDS = "Ein Öltank 🛢 läuft — ok"
OF_EVENTS = (CHAT, RESPONSES, ANTHROPIC, GEMINI)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
LIVE = 2  # seconds that a piece may take to be passed on while the upstream says no more


def _message(words):
    part = {"type": "output_text", "text": words, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def events_of(face, words):
    """A plain stream: the names of its events and their values."""
    if face == CHAT:
        chunks = [
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
            {"choices": [{"index": 0, "delta": {"content": words}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 9, "total_tokens": 20}},
        ]
        return [("", chunk) for chunk in chunks]
    if face == GEMINI:
        said = {"content": {"role": "model", "parts": [{"text": words}]}, "index": 0}
        end = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}
        usage = {"promptTokenCount": 11, "candidatesTokenCount": 9, "totalTokenCount": 20}
        return [("", {"candidates": [said]}), ("", {"candidates": [end], "usageMetadata": usage})]
    of = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = {"id": "resp_1", "object": "response", "model": "m", "output": [_message(words)], "status": "completed"}
    usage = {"input_tokens": 11, "output_tokens": 9, "total_tokens": 20}
    opened = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    found = {
        RESPONSES: [
            {"type": "response.created", "response": whole | {"output": [], "status": "in_progress"}},
            {"type": "response.output_item.added", "output_index": 0, "item": _message("") | {"content": []}},
            {"type": "response.content_part.added", "part": _message("")["content"][0], **of},
            {"type": "response.output_text.delta", "delta": words, **of},
            {"type": "response.output_item.done", "output_index": 0, "item": _message(words)},
            {"type": "response.completed", "response": whole | {"usage": usage}},
        ],
        ANTHROPIC: [
            {"type": "message_start", "message": opened | {"usage": {"input_tokens": 11, "output_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
            {"type": "message_stop"},
        ],
    }[face]
    return [(event["type"], event) for event in found]


def framed(face, words=WORDS, *, end=b"\n", lines=False):
    """The stream in bytes. `lines`: every value over several data lines."""
    said = b""
    for name, value in events_of(face, words):
        data = msgspec.json.encode(value)
        data = msgspec.json.format(data, indent=1) if lines else data
        said += b"event: " + name.encode() + end if name else b""
        said += b"".join(b"data: " + line + end for line in data.split(b"\n")) + end
    return said + (b"data: [DONE]" + end * 2 if face == CHAT else b"")


def in_frames(words=WORDS):
    """The same as Bedrock frames it."""
    said = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": words}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 11, "outputTokens": 9, "totalTokens": 20}}),
    ]
    return b"".join(frame(kind, msgspec.json.encode(value)) for kind, value in said)


WAYS = {
    "line feeds": {},
    "returns and line feeds": {"end": b"\r\n"},
    "returns": {"end": b"\r"},
    "values over several lines": {"lines": True},
    "values over several lines with returns": {"lines": True, "end": b"\r\n"},
}


async def heard(gateway, caller, face, *pieces, **turn):
    """What a caller hears of a stream that comes in these pieces."""
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})
    gateway.upstream.then(Turn(raw=pieces, **turn))
    return await faces.ask(gateway, caller, stream=True)


def other_than(face):
    return ANTHROPIC if face != ANTHROPIC else CHAT


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("face", OF_EVENTS)
async def test_every_framing_of_events_is_understood_however_it_is_cut(gateway, face, size, mark, way):
    told = await heard(gateway, other_than(face), face, mark + framed(face, **way), chunk_bytes=size)

    assert faces.text_of(other_than(face), told.body, stream=True) == WORDS
    assert faces.ENDS[other_than(face)] in told.body
    assert gateway.spans.attempts[0].usage.output_tokens == 9


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("face", OF_EVENTS)
async def test_every_framing_of_events_is_relayed_as_it_came_but_for_the_mark(gateway, face, mark, way):
    told = await heard(gateway, face, face, mark + framed(face, **way), chunk_bytes=3)

    assert told.body == framed(face, **way)
    assert (await gateway.settled()).root.output == WORDS


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("face", OF_EVENTS)
async def test_a_character_may_come_in_two_halves(gateway, face, caller):
    said = framed(face)
    at = said.index("🛢".encode()) + 2

    told = await heard(gateway, caller, face, said[:at], said[at:], pause_seconds=0.02)

    assert faces.text_of(caller, told.body, stream=True) == WORDS


async def test_an_event_stream_of_amazons_may_be_cut_at_every_byte(gateway):
    said = in_frames()
    gateway.know(models={"fast": faces.behind(gateway.upstream, BEDROCK)})
    gateway.upstream.then(
        *(Turn(raw=(said[:at], said[at:])) for at in range(1, len(said))), Turn(raw=said, chunk_bytes=1)
    )
    many = asyncio.Semaphore(8)

    async def one():
        async with many:
            return await faces.ask(gateway, ANTHROPIC, stream=True)

    told = await asyncio.gather(*(one() for _ in range(len(said))))

    assert {(answer.status, faces.text_of(ANTHROPIC, answer.body, stream=True)) for answer in told} == {(200, WORDS)}
    assert all(b"message_stop" in answer.body for answer in told)


@pytest.mark.parametrize("face", [*OF_EVENTS, BEDROCK])
async def test_an_event_stream_that_ends_within_an_event_is_no_whole_answer(gateway, face):
    said = in_frames() if face == BEDROCK else framed(face)
    caller = other_than(face)

    told = await heard(gateway, caller, face, said[: len(said) * 3 // 4])

    assert faces.ENDS[caller] not in told.body
    assert b"error" in told.body


# -- long


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("face", [*OF_EVENTS, BEDROCK])
async def test_one_event_of_a_megabyte_arrives_whole(gateway, face, caller):
    words = "ü7 " * 350_000
    said = in_frames(words) if face == BEDROCK else framed(face, words)

    told = await heard(gateway, caller, face, said, chunk_bytes=50_000)

    assert told.status == 200
    if face == caller:
        assert told.body == said
    assert faces.text_of(caller, told.body, stream=True) == words


# -- held back


def role_only(padding=""):
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}}
    return b"data: " + msgspec.json.encode({"choices": [choice], "padding": padding}) + b"\n\n"


async def begun_before_content(gateway, saying, opening):
    """What a caller gets while the upstream waits, having said how it opens, for the caller to have something."""
    reached = asyncio.Event()

    async def pieces():
        yield HEAD + opening
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIVE):
                await reached.wait()
        yield framed(CHAT)

    await saying(pieces)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.base.rpartition(":")[2]), limit=2**22)
    body = faces.body_of(CHAT, stream=True)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    try:
        async with asyncio.timeout(LIVE / 4):
            begun = await reader.readuntil(b"\r\n\r\n")
        reached.set()
        return begun, await reader.read()
    finally:
        reached.set()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "opening",
    [role_only() * (MOST_HELD_EVENTS + 36), role_only("x" * (MOST_HELD_BYTES // 2)) * 3],
    ids=["many", "long"],
)
async def test_more_events_without_content_than_are_held_back_begin_to_flow(gateway, saying, opening):
    begun, rest = await begun_before_content(gateway, saying, opening)

    assert begun.startswith(b"HTTP/1.1 200")
    assert opening[:100] in rest
    assert rest.count(b'"role":"assistant"') == opening.count(b'"role"') + 1
    assert WORDS.encode() in rest


async def test_fewer_are_held_back_until_the_content_comes(gateway, saying):
    with pytest.raises(TimeoutError):
        await begun_before_content(gateway, saying, role_only() * (MOST_HELD_EVENTS - 4))


async def test_a_failure_behind_what_is_held_back_is_tried_again_unseen(gateway):
    broken = role_only() * (MOST_HELD_EVENTS - 4) + b"data: {nonsense\n\n"
    gateway.upstream.then(Turn(raw=broken), Turn(raw=framed(CHAT)))

    told = await faces.ask(gateway, CHAT, stream=True)

    assert told.body == framed(CHAT)
    assert [attempt.status for attempt in (await gateway.settled()).attempts] == ["error", "ok"]


async def test_a_hundred_events_without_content_are_nothing_to_a_caller_of_another_dialect(gateway):
    told = await heard(gateway, ANTHROPIC, CHAT, role_only() * 100 + framed(CHAT))

    assert faces.text_of(ANTHROPIC, told.body, stream=True) == WORDS
    assert told.body.count(b"event: message_start") == 1


# -- what says that it is a stream


@pytest.mark.parametrize("face", [*OF_EVENTS, BEDROCK])
@pytest.mark.parametrize("caller", CALLERS)
async def test_a_stream_says_that_nobody_on_its_way_may_hold_it_back(gateway, caller, face):
    said = in_frames() if face == BEDROCK else framed(face)

    told = await heard(gateway, caller, face, said)

    assert told.headers["content-type"].startswith("text/event-stream")
    assert told.headers["x-accel-buffering"] == "no"
    assert told.headers["cache-control"] == "no-cache"


async def test_a_stream_as_an_array_says_it_too(gateway):
    gateway.know(models={"fast": faces.behind(gateway.upstream, GEMINI)})
    path = faces.path_of(GEMINI, stream=True).removesuffix("?alt=sse")

    told = await gateway.send("POST", path, faces.body_of(GEMINI), authorization=f"Bearer {KEY}")

    assert isinstance(msgspec.json.decode(told.body), list)
    assert told.headers["content-type"].startswith("application/json")
    assert (told.headers["x-accel-buffering"], told.headers["cache-control"]) == ("no", "no-cache")
