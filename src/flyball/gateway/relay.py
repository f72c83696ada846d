"""A stream in the caller's own dialect: events are passed on as the bytes they are; what is read of them is noted.

Before the first content everything is held back, so that a failure can still be tried again. The chunk with the usage is
taken out for callers who did not ask for it. A stream that ends without its closing event has failed.
"""

from collections.abc import AsyncGenerator

import msgspec

from flyball.llm.dialects import openai_chat
from flyball.llm.errors import UpstreamCutError
from flyball.llm.providers.openai_compatible import Reply, error_in_body
from flyball.llm.sse import Event, EventParser, EventTooLongError
from flyball.llm.usage import usage_from_openai

from .record import Attempt, Entry

# Held back at most before the first content; beyond it the stream is passed on as it is.
_MOST_HELD_EVENTS = 64
_MOST_HELD_BYTES = 256 * 1024


class Relay:
    """One attempt's stream."""

    def __init__(self, reply: Reply, *, entry: Entry, attempt: Attempt, wants_usage: bool) -> None:
        self._reply = reply
        self._entry = entry
        self._attempt = attempt
        self._where = reply.where
        self._wants_usage = wants_usage
        self._parser = EventParser()
        self._held: list[bytes] = []
        self._begun = False
        self._done = False

    async def open(self) -> None:
        """Read up to the first content. Raises UpstreamError; nothing has been sent then."""
        held_events = 0
        while not self._begun and not self._done:
            passed = await self._next()
            self._held += passed
            held_events += len(passed)
            if held_events > _MOST_HELD_EVENTS or sum(map(len, self._held)) > _MOST_HELD_BYTES:
                break

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The events, in the pieces in which they come, without the closing one. Raises UpstreamError."""
        if held := b"".join(self._held):
            yield held
        while not self._done:
            if passed := b"".join(await self._next()):
                yield passed

    async def _next(self) -> list[bytes]:
        """The events of the next read that the caller is to get."""
        data = await self._reply.read()
        try:
            events = list(self._parser.finish()) if data is None else self._parser.feed(data)
        except EventTooLongError as error:
            raise UpstreamCutError(f"{self._where}: {error}") from None
        passed = [event.raw for event in events if self._is_for_caller(event)]
        if data is None and not self._done:
            raise UpstreamCutError(f"{self._where} ended its answer before it was complete")
        return passed

    def _is_for_caller(self, event: Event) -> bool:
        if self._done:
            return False
        if not event.data:
            return True  # a comment that keeps the connection awake
        if event.data == b"[DONE]":
            self._done = True
            return False
        try:
            chunk = openai_chat.parse_chunk(event.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamCutError(f"{self._where} sent an event that is no chunk ({error})") from None
        if chunk.error is not None:
            raise error_in_body(chunk.error, self._reply)
        return self._note(chunk)

    def _note(self, chunk: openai_chat.Chunk) -> bool:
        """Take what the record needs; whether the caller gets the event."""
        if chunk.usage is not None:
            self._attempt.usage, self._attempt.usage_raw = usage_from_openai(chunk.usage), chunk.usage
        if chunk.model and not self._attempt.answered_by:
            self._attempt.answered_by = chunk.model
        if chunk.has_content:
            self._begun = True
            self._entry.content(self._attempt, chunk.text)
        if (reason := chunk.finish_reason) is not None:
            self._entry.finish_reason = reason
        return self._wants_usage or not chunk.is_usage_alone
