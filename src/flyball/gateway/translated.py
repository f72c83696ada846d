"""A stream in another dialect than the caller's: read into the vocabulary, and worded again.

Before the first content everything is held back, so that a failure can still be tried again. What the caller's dialect
cannot say is named in `flyball.dropped` of the event that ends the stream: its head is long gone by then.
"""

from collections.abc import AsyncGenerator

from flyball.llm.calling import Events, Question, in_200, nonsense, unfinished
from flyball.llm.completions import Began, Broke, Counted, Grew, Lost, Opened, Stopped, StreamEvent
from flyball.llm.dialect import Dialect, Frame
from flyball.llm.errors import UpstreamCutError, UpstreamError
from flyball.llm.messages import Native, Refusal, Text, Thinking, ToolCall
from flyball.llm.sse import Event
from flyball.llm.wire import LARGEST_ANSWER, Reply

from .record import Attempt, Entry, shortened
from .relay import MOST_HELD_BYTES, MOST_HELD_EVENTS


class Translated:
    """One attempt's stream. `broke` words its failure, `closing` its sound end."""

    def __init__(
        self, reply: Reply, asked: Question, told: Dialect, frame: Frame, *, entry: Entry, attempt: Attempt
    ) -> None:
        self._reply = reply
        self._spoken = asked.dialect
        self._events = Events(reply, asked)
        self._reader = asked.dialect.reader()
        self._frame = frame
        self._losses = attempt.dropped
        self._said_before = len(attempt.dropped.dropped)
        self._writer = told.writer(frame, attempt.dropped)
        self._entry = entry
        self._attempt = attempt
        self._texts: set[int] = set()  # parts of the first answer that are words
        self._held: list[bytes] = []
        self._size = 0  # of all that was read: some writers keep what they said
        self._begun = False
        self._ended = False
        self._failure: UpstreamError | None = None
        self.broke = self._writer.broke

    async def open(self) -> None:
        """Read up to the first content. Raises UpstreamError; nothing has been sent then."""
        held_events = 0
        while not self._begun and not self._ended:
            passed = await self._next()
            self._held += passed
            held_events += len(passed)
            if held_events > MOST_HELD_EVENTS or sum(map(len, self._held)) > MOST_HELD_BYTES:
                break

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The events, in the pieces in which they come, without those that end the stream. Raises UpstreamError."""
        if held := b"".join(self._held):
            yield held
        while not self._ended:
            if passed := b"".join(await self._next()):
                yield passed

    def unheaded(self) -> bytes:
        """Nothing: where no header says what was left out of the question, the event that ends the stream does."""
        self._said_before = 0
        return b""

    def closing(self) -> bytes:
        """What ends the stream."""
        if lost := self._losses.dropped[self._said_before :]:
            self._frame.extra.setdefault("flyball", {})["dropped"] = shortened(lost)
        return self._writer.end()

    async def _next(self) -> list[bytes]:
        """What the next read says, worded. Content goes before a failure that came with it."""
        if self._failure is not None:
            raise self._failure
        passed: list[bytes] = []
        try:
            await self._word(passed)
        except UpstreamError as failure:
            if not self._begun:
                raise
            self._failure = failure
        return passed

    async def _word(self, passed: list[bytes]) -> None:
        for event in await self._events.read():
            self._size += len(event.data)
            if self._size > LARGEST_ANSWER:
                raise UpstreamCutError(f"{self._reply.where} answered with more than {LARGEST_ANSWER} bytes")
            if event.data and not self._ended:
                self._take(self._read(event), passed)
                self._ended = self._attempt.whole = self._reader.done
        if self._events.ended and not self._ended:
            self._take(self._reader.finish(), passed)
            if not self._reader.done:
                raise unfinished(self._reply)
            self._ended = self._attempt.whole = True

    def _read(self, event: Event) -> list[StreamEvent]:
        try:
            return self._reader.read(event)
        except (ValueError, RecursionError) as error:
            raise nonsense(error, self._reply) from None

    def _take(self, said: list[StreamEvent], passed: list[bytes]) -> None:
        for one in said:
            if isinstance(one, Broke):
                raise in_200(one.trouble, self._reply, self._spoken)
            self._note(one)
            if isinstance(one, Lost):
                self._losses.drop(one.name)
            elif words := self._words(one):
                passed.append(words)

    def _words(self, one: StreamEvent) -> bytes:
        try:
            return self._writer.write(one)
        except UpstreamCutError as error:
            raise UpstreamCutError(f"{self._reply.where}: {error.message}", next_step=error.next_step) from error

    def _note(self, one: StreamEvent) -> None:
        """Take what the record needs."""
        if isinstance(one, Grew):
            self._begun = True
            self._entry.content(self._attempt, one.text if one.choice == 0 and one.at in self._texts else "")
        elif isinstance(one, Opened):
            if isinstance(one.part, Text) and one.choice == 0:
                self._texts.add(one.at)
            if isinstance(one.part, ToolCall | Native | Refusal) or (
                isinstance(one.part, Text | Thinking) and _says(one)
            ):
                self._begun = True
                self._entry.content(self._attempt, "")
        elif isinstance(one, Stopped):
            self._begun = True
            if one.choice == 0:
                self._entry.finish_reason = one.stop.native or one.stop.reason
        elif isinstance(one, Counted):
            self._attempt.usage, self._attempt.usage_raw = one.usage, one.raw
        elif isinstance(one, Began) and one.model:
            self._attempt.answered_by = one.model


def _says(opened: Opened) -> bool:
    part = opened.part
    return isinstance(part, Text | Thinking) and bool(part.text or part.signature)
