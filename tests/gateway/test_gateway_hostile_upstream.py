"""Upstreams that lie, shout, repeat what they were told in confidence, or never come to an end."""

import contextlib

import msgspec
import pytest
from surroundings import CHUNK, OK, streamed, whole

from flyball.llm.sse import EventParser, EventTooLongError

KEY = "sk-upstream"  # that the gateway's endpoints are called with


async def ask(gateway, *, stream=False):
    return await gateway.post({"model": "fast", "messages": [{"role": "user", "content": "?"}], "stream": stream})


REPEATED = {
    "an error": (whole({"error": {"message": f"bad key {KEY}"}}, "400 Bad Request"), False),
    "an error that refuses the key": (whole({"error": {"message": f"bad key {KEY}"}}, "401 Unauthorized"), False),
    "an error that is no JSON": (whole(f"<p>{KEY}</p>".encode(), "500 Oops"), False),
    "an error in a 200": (whole({"error": {"message": f"bad key {KEY}"}}), False),
    "headers": (whole(head=f"x-request-id: {KEY}\r\nx-ratelimit-key: {KEY}\r\nset-cookie: {KEY}\r\n".encode()), False),
    "an error event": (streamed(b'{"error":{"message":"bad key ' + KEY.encode() + b'"}}'), True),
    "an error event behind content": (streamed(CHUNK, b'{"error":{"message":"' + KEY.encode() + b'"}}'), True),
}


@pytest.mark.parametrize(("answer", "stream"), REPEATED.values(), ids=REPEATED)
async def test_the_key_that_we_send_reaches_neither_the_caller_nor_the_record(gateway, saying, answer, stream):
    await saying(answer)

    told = await ask(gateway, stream=stream)

    assert KEY not in str(told)
    assert KEY.encode() not in msgspec.json.encode(list(await gateway.settled()))


async def test_an_upstream_cannot_send_us_to_somebody_else(gateway, saying):
    thief = await saying(whole())
    await saying(whole(b"{}", "302 Found", b"location: http://127.0.0.1:1/steal\r\n"))

    told = await ask(gateway)

    assert told.status == 502
    assert not [line for line in thief if b"steal" in line]


@pytest.mark.parametrize(
    "head",
    [
        b"x-request-id: \xe9\xff\r\n",
        b"x-request-id: " + b"a" * 20_000 + b"\r\n",
        b"".join(b"x-ratelimit-%d: %b\r\n" % (number, b"v" * 300) for number in range(80)),
        b"set-cookie: a=b\r\naccess-control-allow-origin: *\r\nlocation: /\r\nx-flyball-trace-id: forged\r\n",
    ],
    ids=["no text", "long", "many", "not for callers"],
)
async def test_only_a_few_short_headers_of_an_upstream_reach_the_caller(gateway, saying, head):
    await saying(whole(head=head))

    told = await ask(gateway)

    assert told.status == 200
    assert len(str(told.headers)) < 2_000
    assert not {"set-cookie", "access-control-allow-origin", "location"} & set(told.headers)
    assert told.headers["x-flyball-trace-id"] != "forged"


NONSENSE = {
    "HTML": whole(b"<html><script>alert(1)</script>"),
    "deep": whole(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "not UTF-8": whole(b'{"choices":[{"message":{"content":"\xff"}}]}'),
    "other types": whole(b'{"choices":{"0":1},"model":5,"usage":[]}'),
    "no HTTP": b"hello\r\n\r\n",
    "status 999": whole(status="999 What"),
    "status 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a length that is too long": b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{}",
    "bytes packed as gzip": whole(b"\x1f\x8b\x08\x00" + b"\x00" * 100, head=b"content-encoding: gzip\r\n"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_a_502_in_the_callers_dialect(gateway, saying, answer, stream):
    await saying(answer)

    told = await ask(gateway, stream=stream)

    assert told.status == 502
    assert told.error["message"]
    assert (await gateway.settled()).root.status == "error"


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**30, "completion_tokens": -5},
        {"prompt_tokens": 2**63, "completion_tokens": 2**62, "prompt_tokens_details": {"cached_tokens": 10**9}},
        {"prompt_tokens": "many", "completion_tokens": None},
        {"prompt_tokens": 1.5},
        [],
        "none",
    ],
)
async def test_counts_that_make_no_sense_never_reach_the_record(gateway, saying, usage):
    await saying(whole({**OK, "usage": usage}))

    await ask(gateway)

    for span in await gateway.settled():
        assert 0 <= span.usage.input_tokens < 2**53
        assert 0 <= span.usage.output_tokens < 2**53
        assert span.cost_nano_usd is None or 0 <= span.cost_nano_usd < 2**62
        assert msgspec.json.decode(msgspec.json.encode(span))


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_an_event_without_end_costs_its_length_and_not_its_square(end, costs_at_most):
    parser = EventParser()
    piece = b"data: " + b"x" * 40 + end

    with costs_at_most(60), contextlib.suppress(EventTooLongError):
        for _ in range(400_000):
            parser.feed(piece)
