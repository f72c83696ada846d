"""What sends batches to flyball, one after another, until each is taken or refused for good.

Runs as one task on the bridge's loop while there is something to send. Knows what the answers mean: away, busy, refused, or
one record among many that nobody can take. Knows not how records are made.
"""

import asyncio
import random
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple

import msgspec

from flyball.kit.errors import FlyballError

from . import bridge
from .client import AsyncClient, NotConfiguredError, RefusedError
from .offline import Batch, Offline
from .warning import warn_once

_SHORTEST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 10.0
_MOST_JUDGED = 20  # how often a judgement is sent whose trace is not there yet: its spans may still be running
_MERGED_BYTES = (
    256 * 1024
)  # files of batches that wait grow to this, so that a slow application does not leave thousands
_IN_MEMORY = 4  # batches that wait in files and are kept in memory as well
_chance = random.Random()  # noqa: S311 -- jitter needs no secrecy; our own, since an application may have seeded Python's


class Route(NamedTuple):
    """How records of a kind travel: their path, their type, and what stands around and between them."""

    path: str
    content_type: str
    before: bytes = b""
    between: bytes | None = None  # None: one at a time
    after: bytes = b""


ROUTES = {
    "span": Route("/api/traces/spans", "application/json", b'{"spans":[', b",", b"]}"),
    "otlp": Route("/v1/traces", "application/x-protobuf", between=b""),
    "feedback": Route("/api/feedback", "application/json"),
}
_AWAY = frozenset({408, 429})
_NOT_LET_IN = frozenset({401, 403, 404})  # with another key or address it may go; worth keeping where it can be kept
_ONE_OF_THEM = frozenset({400, 413, 422})


class Parcel:
    """A batch on its way: in memory, in a file, or both."""

    __slots__ = ("body", "count", "kind", "path", "refused", "size")

    def __init__(self, kind: str, count: int, body: bytes, path: Path | None = None) -> None:
        self.kind, self.count, self.path = kind, count, path
        self.body: bytes | None = body
        self.size = len(body)
        self.refused = 0


class Outbox:
    """The parcels in order, and the task that sends them."""

    def __init__(self, client: AsyncClient, offline: Offline | None) -> None:
        self.dropped = 0
        self.sent = 0
        self.failing = False  # the newest attempt found flyball away
        self._client = client
        self._offline = offline
        self._parcels: deque[Parcel] = deque()
        self._lock = threading.Lock()
        self.in_memory = self.in_memory_records = 0  # bytes and records that lie nowhere else
        self._task: asyncio.Task[None] | None = None
        self._hurry: asyncio.Event | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """Parcels that are not done with."""
        return len(self._parcels)

    @property
    def kept_safe(self) -> bool:
        """Whether everything that waits also lies in the folder."""
        with self._lock:
            return all(parcel.path is not None for parcel in self._parcels)

    @property
    def began(self) -> bool:
        """Whether anything was ever sent, or tried."""
        return self._hurry is not None

    def put(self, kind: str, count: int, body: bytes) -> None:
        """Send it some time soon. Called by one thread at a time."""
        if self._merged(kind, count, body):
            return
        parcel = Parcel(kind, count, body, self._kept(kind, count, body))
        with self._lock:
            self._parcels.append(parcel)
            if parcel.path is None:
                self.in_memory += parcel.size
                self.in_memory_records += count
            elif len(self._parcels) > _IN_MEMORY:
                parcel.body = None
        bridge.loop().call_soon_threadsafe(self._start)

    def take_over(self, path: Path) -> None:
        """Send what lies in a file."""
        parcel = Parcel(path.suffix[1:], 0, b"", path)
        parcel.body = None
        with self._lock:
            self._parcels.append(parcel)
        bridge.loop().call_soon_threadsafe(self._start)

    def hurry(self) -> None:
        """Try at once if the last attempt failed."""
        bridge.loop().call_soon_threadsafe(self._try_now)

    def end(self) -> None:
        """Send nothing more; for tests."""
        with self._lock:
            self._parcels.clear()

    async def close(self) -> None:
        """Leave what waits, and the connections: an answer that came while the interpreter shuts down would break it."""
        task, self._closed = self._task, True
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._client.close()

    def _kept(self, kind: str, count: int, body: bytes) -> Path | None:
        if self._offline is None:
            return None
        try:
            path = self._offline.write(kind, count, body)
        except OSError as error:
            warn_once(f"the offline folder fails ({error}): what waits is in memory alone", kind="offline")
            return None
        if path is None:
            warn_once("the offline folder is full: what waits is in memory alone", kind="offline full")
        return path

    def _merged(self, kind: str, count: int, body: bytes) -> bool:
        """Add it to the last batch, if that waits in a small file and was never tried."""
        between = ROUTES[kind].between
        with self._lock:
            last = self._parcels[-1] if self.failing and len(self._parcels) > 1 else None
            if last is None or last.path is None or between is None or last.kind != kind or self._offline is None:
                return False
            if last.size + len(body) > _MERGED_BYTES:
                return False
            before = Batch(kind, last.count, last.body) if last.body is not None else self._offline.read(last.path)
            if before is None:
                return False
            joined = Batch(kind, before.records + count, before.body + between + body)
            try:
                if not self._offline.extend(last.path, joined, len(before.body)):
                    return False
            except OSError:
                return False
            last.count, last.size, last.body = joined.records, len(joined.body), None
            return True

    def _try_now(self) -> None:
        if self._hurry is not None:
            self._hurry.set()
        self._start()

    def _start(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        """Send until nothing waits, then end; the next parcel starts it again."""
        self._hurry, pause = asyncio.Event(), _SHORTEST_PAUSE_SECONDS
        while self._parcels:
            parcel = self._parcels[0]
            try:
                again = await self._send(parcel)
            except Exception as error:  # noqa: BLE001 -- the door of a task that nobody awaits
                warn_once(f"telemetry failed ({error!r:.200})")
                self._drop(parcel)
                again = False
            self.failing = again
            if again:
                self._let_others_pass(parcel)
                await self._rest(_chance.uniform(0.5, 1) * pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                pause = _SHORTEST_PAUSE_SECONDS
                self._done_with(parcel)
        self._task = None

    def _done_with(self, parcel: Parcel) -> None:
        with self._lock:
            if self._parcels and self._parcels[0] is parcel:
                self._parcels.popleft()
            if parcel.path is None:
                self.in_memory -= parcel.size
                self.in_memory_records -= parcel.count

    def _let_others_pass(self, parcel: Parcel) -> None:
        """A judgement waits for a trace that may lie behind it."""
        with self._lock:
            if parcel.refused and self._parcels and self._parcels[0] is parcel:
                self._parcels.rotate(-1)

    async def _rest(self, seconds: float) -> None:
        assert self._hurry is not None  # noqa: S101 -- made where the task begins
        self._hurry.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass

    async def _send(self, parcel: Parcel) -> bool:
        """Whether it is worth trying again; otherwise it is done with."""
        body = parcel.body
        if body is None:
            batch = self._offline.read(parcel.path) if self._offline is not None and parcel.path is not None else None
            if batch is None or batch.kind not in ROUTES:
                return False
            parcel.count, body = batch.records, batch.body
        route = ROUTES[parcel.kind]
        try:
            answer = await self._client.post(route.path, route.before + body + route.after, route.content_type)
        except (RefusedError, NotConfiguredError) as error:
            return await self._refused(parcel, body, error)
        except FlyballError as error:
            warn_once(f"{error}; trying again")
            return True
        if parcel.kind == "otlp" and answer:  # a message without fields has no bytes: everything was kept
            warn_once(f"flyball did not keep every span of a batch: {answer!r:.300}")
        self.sent += parcel.count
        self._remove(parcel)
        return False

    async def _refused(self, parcel: Parcel, body: bytes, error: RefusedError | NotConfiguredError) -> bool:
        if error.status >= 500 or error.status in _AWAY:
            return True
        if parcel.kind == "feedback" and error.code == "trace_not_found" and parcel.refused < _MOST_JUDGED:
            parcel.refused += 1
            return True
        warn_once(str(error))
        if error.status in _NOT_LET_IN and parcel.path is not None:
            return True
        if error.status in _ONE_OF_THEM and parcel.count > 1 and parcel.kind == "span":
            await self._one_by_one(msgspec.json.decode(b"[" + body + b"]", type=list[msgspec.Raw]))
            self._remove(parcel)
        else:
            self._drop(parcel)
        return False

    async def _one_by_one(self, records: list[msgspec.Raw]) -> None:
        """Halve a batch that was refused until what cannot be taken is alone."""
        route = ROUTES["span"]
        middle = len(records) // 2
        for half in (records[:middle], records[middle:]):
            body = b",".join(bytes(record) for record in half)
            while True:
                try:
                    await self._client.post(route.path, route.before + body + route.after, route.content_type)
                    self.sent += len(half)
                except RefusedError as error:
                    if error.status >= 500 or error.status in _AWAY:
                        await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
                        continue
                    if len(half) > 1 and error.status in _ONE_OF_THEM:
                        await self._one_by_one(half)
                    else:
                        self.dropped += len(half)
                except FlyballError:
                    await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
                    continue
                break

    def _drop(self, parcel: Parcel) -> None:
        self.dropped += parcel.count
        self._remove(parcel)

    def _remove(self, parcel: Parcel) -> None:
        if parcel.path is not None and self._offline is not None:
            self._offline.remove(parcel.path)
