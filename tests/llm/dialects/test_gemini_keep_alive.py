"""What keeps a Gemini stream alive and what ends one that fails, as Google's official client reads them, however they are cut."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import types as google_types

from flyball.llm.completions import Choice, Completion, events_of
from flyball.llm.dialect import Frame
from flyball.llm.dialects.gemini import DIALECT
from flyball.llm.losses import Losses
from flyball.llm.messages import Stop, Text, ToolCall

SAID = Completion(
    choices=(
        Choice(
            parts=(
                Text(text="It is a dóor.\r\n\r\ndata: x"),
                ToolCall(id="call_1", name="look", arguments='{"a":"{"}'),
            ),
            stop=Stop(reason="tool_calls"),
        ),
    )
)


class Cut(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that comes in pieces of some bytes."""

    def __init__(self, body: bytes, size: int) -> None:
        self._pieces = [body[at : at + size] for at in range(0, len(body), size)]

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def streamed(*, alive: bytes = b"", broken: bool = False) -> bytes:
    """The stream, with something between all events."""
    writer = DIALECT.writer(Frame(id="x1", created=0, model="m"), Losses("it"))
    pieces = [writer.write(event) for event in events_of(SAID)]
    pieces = [piece for piece in pieces if piece]
    last = writer.broke(502, "the upstream broke off", code="upstream_cut") if broken else writer.end()
    return alive + alive.join([*(pieces[:1] if broken else pieces), last]) + (b"" if broken else alive)


def heard(body: bytes, size: int) -> list[Any]:
    answer = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Cut(body, size))
    )
    with httpx2.Client(transport=answer) as http:
        options = google_types.HttpOptions(base_url="http://t", httpx_client=http)
        client = genai.Client(api_key="k", http_options=options)
        return list(client.models.generate_content_stream(model="m", contents="x"))


async def heard_later(body: bytes, size: int) -> list[Any]:
    answer = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Cut(body, size))
    )
    async with httpx2.AsyncClient(transport=answer) as http:
        options = google_types.HttpOptions(base_url="http://t", httpx_async_client=http)
        client = genai.Client(api_key="k", http_options=options)
        return [chunk async for chunk in await client.aio.models.generate_content_stream(model="m", contents="x")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
@pytest.mark.parametrize("times", [0, 1, 3])
def test_what_keeps_a_stream_alive_says_nothing_to_googles_client(size: int, times: int) -> None:
    body = streamed(alive=DIALECT.keep_alive * times)

    for chunks in (heard(body, size), asyncio.run(heard_later(body, size))):
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
        assert "".join(part.text or "" for part in parts) == "It is a dóor.\r\n\r\ndata: x"
        assert [part.function_call.args for part in parts if part.function_call] == [{"a": "{"}]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
@pytest.mark.parametrize("times", [0, 2])
def test_googles_client_raises_where_a_stream_fails_in_the_middle(size: int, times: int) -> None:
    body = streamed(alive=DIALECT.keep_alive * times, broken=True)

    with pytest.raises(genai.errors.APIError, match="the upstream broke off"):
        heard(body, size)
    with pytest.raises(genai.errors.APIError, match="the upstream broke off"):
        asyncio.run(heard_later(body, size))


def test_a_comment_would_break_googles_client() -> None:
    with pytest.raises(Exception, match=r"."):
        heard(streamed(alive=b": ping\n\n"), 100_000)
