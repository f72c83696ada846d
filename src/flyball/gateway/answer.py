"""Telling the client: the answer as it comes. The record is written before the last byte: whoever has an answer finds its trace."""

from contextlib import aclosing

from .record import Entry
from .replies import Reply, StreamedReply
from .speech import Speech


async def answer(speech: Speech, reply: Reply, entry: Entry) -> None:
    """Send an answer on."""
    if isinstance(reply, StreamedReply):
        speech.broke = reply.broke
        async with aclosing(reply.pieces) as pieces:
            first = True
            async for piece in pieces:
                await speech.say(await _opening(speech, reply) + piece if first else piece)
                first = False
        opening = await _opening(speech, reply) if first else b""
        entry.settle()
        await speech.end(opening + reply.closing())
    else:
        entry.settle()
        await speech.whole(200, reply.body, *reply.headers)


async def _opening(speech: Speech, reply: StreamedReply) -> bytes:
    """Send the head; what it would have told stands in the stream where it went out before anything was known."""
    return b"" if await speech.begin(*reply.headers) else reply.unheaded()
