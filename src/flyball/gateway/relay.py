"""A stream in the caller's own dialect: events are passed on as the bytes they are; what is read of them is noted.

Before the first content everything is held back, so that a failure can still be tried again. The chunk with the usage is
taken out for callers who did not ask for it. A stream that ends without its closing event has failed.
"""

from collections.abc import AsyncGenerator

from flyball.llm.calling import Events, Question, in_200, is_unknown, nonsense, unfinished
from flyball.llm.dialect import Note
from flyball.llm.errors import UpstreamError
from flyball.llm.sse import Event
from flyball.llm.translation import dialect
from flyball.llm.wire import Reply

from .record import Attempt, Entry
from .replies import dropped_comment

# Held back at most before the first content; beyond it the stream is passed on as it is.
MOST_HELD_EVENTS = 64
MOST_HELD_BYTES = 256 * 1024


class Relay:
    """One attempt's stream. `broke` words its failure, `closing` its sound end."""

    def __init__(self, reply: Reply, asked: Question, *, entry: Entry, attempt: Attempt, wants_usage: bool) -> None:
        self._reply = reply
        spoken = self._dialect = dialect(asked.dialect.name)
        self._events = Events(reply, asked)
        self._entry = entry
        self._attempt = attempt
        self._wants_usage = wants_usage
        self._watch = spoken.watch()
        self._terminal = spoken.terminal  # becomes the upstream's own, which may be worded otherwise
        self._ends_anyhow = spoken.ends_without_terminal
        self._held: list[bytes] = []
        self._last: list[bytes] = []  # what ends the stream: sent when everything has been settled
        self._begun = False
        self._done = False
        self._failure: UpstreamError | None = None
        self.broke = self._watch.broke

    async def open(self) -> None:
        """Read up to the first content. Raises UpstreamError; nothing has been sent then."""
        held_events = 0
        while not self._begun and not self._done:
            passed = await self._next()
            self._held += passed
            held_events += len(passed)
            if held_events > MOST_HELD_EVENTS or sum(map(len, self._held)) > MOST_HELD_BYTES:
                break

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The events, in the pieces in which they come, without the closing one. Raises UpstreamError."""
        if held := b"".join(self._held):
            yield held
        while not self._done:
            if passed := b"".join(await self._next()):
                yield passed

    def closing(self) -> bytes:
        """What ends the stream."""
        return b"".join(self._last) + self._terminal

    def unheaded(self) -> bytes:
        """What was left out of the question, where no header says it: a comment, in dialects whose clients take them."""
        return dropped_comment(self._attempt.dropped) if self._dialect.keep_alive.strip() else b""

    async def _next(self) -> list[bytes]:
        """The events of the next read that the caller is to get now. Content goes before a failure that came with it."""
        if self._failure is not None:
            raise self._failure
        passed: list[bytes] = []
        try:
            for event in await self._events.read():
                passed += self._for_caller(event)
            if self._events.ended and not self._done:
                if not (self._ends_anyhow and self._last):
                    raise unfinished(self._reply)
                self._done = self._attempt.whole = True
        except UpstreamError as failure:
            if not self._begun:
                raise
            self._failure = failure
        return passed

    def _for_caller(self, event: Event) -> list[bytes]:
        """The event, or nothing of it, or what was held back and turned out not to be the end."""
        if self._done:
            return []
        if not event.data:
            # A comment that keeps the connection awake, or a proxy's words that no client reads.
            return [] if self._last else [self._reply.without_key(event.raw)]
        note = self._noted(event)
        if note.trouble is not None:
            raise in_200(note.trouble, self._reply, self._dialect)
        self._take(note)
        if note.hidden and not self._wants_usage:
            return []
        if note.done and self._terminal:
            self._terminal = event.raw
            return []  # it is said when everything has been settled
        if note.done or self._last or (self._ends_anyhow and note.finish_reason):
            # Some say in every event why they end: what came before the last is no end.
            earlier, self._last = ([], self._last) if note.done or not note.text else (self._last, [])
            self._last.append(event.raw)
            return earlier
        return [event.raw]

    def _noted(self, event: Event) -> Note:
        try:
            return self._watch.note(event)
        except (ValueError, RecursionError) as error:
            if not is_unknown(event):
                raise nonsense(error, self._reply) from None
            return Note(has_content=True)

    def _take(self, note: Note) -> None:
        """What the record needs."""
        attempt = self._attempt
        if note.usage_raw is not None:
            attempt.usage, attempt.usage_raw = note.usage, note.usage_raw
        if note.model and not attempt.answered_by:
            attempt.answered_by = note.model
        if note.has_content:
            self._begun = True
            self._entry.content(attempt, note.text)
        if note.finish_reason:
            self._entry.finish_reason = note.finish_reason
        self._done = self._attempt.whole = note.done
