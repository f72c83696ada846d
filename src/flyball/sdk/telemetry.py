"""What an application tells flyball in the background: spans and feedback, in order, in batches, from a bounded queue.

Nothing here raises into the application or makes it wait, except `flush`. When flyball is away the queue waits and tries
again; when it is full the newest is dropped and counted. Knows queues; knows not how a span is made.
"""

import asyncio
import atexit
import itertools
import logging
import os
import random
import threading
from collections import deque
from typing import Any

import msgspec

from flyball.kit.errors import FlyballError

from . import bridge
from .client import AsyncClient, NotConfiguredError, RefusedError
from .spans import as_text, current_trace_id

MOST_WAITING = 10_000
_MOST_BYTES = 64 * 1024 * 1024
_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024
_GATHER_SECONDS = 0.25  # so that a busy application sends batches and not single spans
_LONGEST_PAUSE_SECONDS = 10.0
_EXIT_SECONDS = 5.0

_log = logging.getLogger("flyball")


class Telemetry:
    """The queue and what empties it. One per process."""

    def __init__(self, client: AsyncClient | None = None) -> None:
        self.dropped = 0
        self._client = client
        self._queue: deque[tuple[str, bytes]] = deque()  # (kind, JSON)
        self._bytes = 0
        self._in_hand = 0
        self._lock = threading.Lock()
        self._sender: asyncio.Task[None] | None = None
        self._starting = False
        self._warned: set[str] = set()

    def span(self, span: dict[str, Any]) -> None:
        """Send a span some time soon."""
        self._put("span", span)

    def feedback(self, said: dict[str, Any]) -> None:
        """Send a judgement some time soon, after the spans before it."""
        self._put("feedback", said)

    def flush(self, seconds: float) -> bool:
        """Wait until everything is sent; False when that took too long."""
        if not self._waiting:
            return True
        try:
            return bridge.run(self._flush(seconds), seconds=seconds + 1)
        except (RuntimeError, TimeoutError):  # no thread can be started while the interpreter shuts down
            return False

    @property
    def _waiting(self) -> int:
        return len(self._queue) + self._in_hand

    def _put(self, kind: str, record: dict[str, Any]) -> None:
        try:
            if self._client is None:
                self._client = AsyncClient()
            if not self._client.configured:
                self.warn_once("FLYBALL_SERVER and FLYBALL_KEY are not set: nothing is observed")
                return
            data = msgspec.json.encode(record)
            with self._lock:
                if len(self._queue) >= MOST_WAITING or self._bytes + len(data) > _MOST_BYTES:
                    self.dropped += 1
                    self.warn_once("flyball does not keep up or is away: spans are dropped, and counted")
                    return
                self._queue.append((kind, data))
                self._bytes += len(data)
                start = self._sender is None and not self._starting
                self._starting = self._starting or start
            if start:
                bridge.loop().call_soon_threadsafe(self._start)
        except Exception as error:  # noqa: BLE001 -- the application's own work goes on, whatever is wrong with ours
            self.warn_once(f"telemetry failed ({as_text(error)})")

    def _start(self) -> None:
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_all())
        self._starting = False

    async def _send_all(self) -> None:
        """Empty the queue, then end; the next record starts it again."""
        pause = _GATHER_SECONDS
        await asyncio.sleep(pause)
        while batch := self._take():
            pause = await self._until_sent(batch, pause)
        self._sender = None
        if self._queue:
            self._start()

    def _take(self) -> list[tuple[str, bytes]]:
        """The next records that go in one call: some spans, or one judgement."""
        with self._lock:
            kind = self._queue[0][0] if self._queue else ""
            most = _BATCH if kind == "span" else 1
            sizes = itertools.accumulate(len(data) for _, data in itertools.islice(self._queue, most))
            fitting = max(1, sum(size <= _BATCH_BYTES for size in sizes)) if kind else 0
            batch: list[tuple[str, bytes]] = []
            while len(batch) < fitting and self._queue[0][0] == kind:
                batch.append(self._queue.popleft())
            self._bytes -= sum(len(data) for _, data in batch)
            self._in_hand = len(batch)
            return batch

    async def _until_sent(self, batch: list[tuple[str, bytes]], pause: float) -> float:
        while True:
            try:
                await self._send(batch)
            except (RefusedError, NotConfiguredError) as error:
                if error.status < 500 and error.status not in {408, 429}:
                    self.dropped += len(batch)
                    self.warn_once(str(error))
                    break
            except FlyballError as error:
                self.warn_once(f"{error}; trying again")
            except Exception as error:  # noqa: BLE001 -- the door of a task that nobody awaits
                self.dropped += len(batch)
                self.warn_once(f"telemetry failed ({as_text(error)})")
                break
            else:
                pause = _GATHER_SECONDS
                break
            await asyncio.sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 -- jitter needs no secrecy
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._in_hand = 0
        return pause

    async def _send(self, batch: list[tuple[str, bytes]]) -> None:
        assert self._client is not None  # noqa: S101 -- nothing is queued before there is one
        if batch[0][0] == "span":
            await self._client.send_spans([msgspec.Raw(data) for _, data in batch])  # type: ignore[misc] # JSON already
        else:
            await self._client.feedback(**msgspec.json.decode(batch[0][1]))

    async def _flush(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while self._waiting:  # noqa: ASYNC110 -- other threads fill the queue; an event would tell no more
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        return True

    def warn_once(self, text: str) -> None:
        """Tell something in the log, the first time."""
        if text not in self._warned:
            self._warned.add(text)
            _log.warning("%s", text)


_telemetry = Telemetry()


def telemetry() -> Telemetry:
    """The process's own."""
    return _telemetry


def feedback(
    value: float, *, trace_id: str = "", comment: str = "", correction: str = "", identifier: str = ""
) -> None:
    """Say what a person thinks of an answer, in the background: 1 is a thumbs-up, -1 a thumbs-down.

    `trace_id` is the one that is observed here unless given. Never raises.
    """
    trace_id = trace_id or current_trace_id()
    if not trace_id:
        _telemetry.warn_once("feedback without a trace is not sent: give trace_id, or call it where a span is observed")
        return
    _telemetry.feedback(
        {
            "trace_id": trace_id,
            "value": value,
            "comment": comment,
            "correction": correction,
            "identifier": identifier,
        }
    )


def flush(seconds: float = 5.0) -> bool:
    """Wait until everything that was observed is sent; False when that took longer."""
    return _telemetry.flush(seconds)


def reset(client: AsyncClient | None = None) -> None:
    """Begin anew with another client, what waits forgotten; in a forked child, and for tests."""
    global _telemetry  # noqa: PLW0603 -- one per process
    _telemetry = Telemetry(client)


atexit.register(lambda: _telemetry.flush(_EXIT_SECONDS))
os.register_at_fork(after_in_child=reset)
