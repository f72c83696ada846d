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
            async for piece in pieces:
                await speech.begin(*reply.headers)
                await speech.say(piece)
        await speech.begin(*reply.headers)
        entry.settle()
        await speech.end(reply.closing())
    else:
        entry.settle()
        await speech.whole(200, reply.body, *reply.headers)
