"""The bounded queue between an application's threads and flyball, and the thread that empties it.

Nothing here raises into the application or makes it wait, except `flush`. The caller's part is to put a record on a queue;
a thread of our own makes JSON of it and batches of that, which the outbox sends. When flyball is away they wait, also in a
folder if there is one; when the queue is full the newest is dropped and counted. Knows queues and threads; knows not how a
span is made.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import sleep
from typing import Any

import msgspec

from flyball.kit.clock import NANOSECONDS, SystemClock

from . import bridge, sampling
from .client import AsyncClient
from .masking import Mask
from .offline import Offline
from .options import Options, from_environment
from .outbox import ROUTES, Outbox
from .spans import Policy, RunningSpan
from .texts import as_text
from .warning import warn_once
from .wire import Writer

MOST_WAITING = 10_000
_MOST_BYTES = 64 * 1024 * 1024
_RECORD_BYTES = 600  # of a record beside its texts
_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024
_SLICE = 32  # records that are written before the application's threads get their turn
_GATHER_SECONDS = 0.25  # so that a busy application sends batches and not single spans
_GATHER_OFFLINE_SECONDS = 0.05  # what a kill may take: where there is a folder, it is soon there
_LOOK_AGAIN_NS = 60 * NANOSECONDS  # for batches that processes which are gone have left behind
_CLOSE_SECONDS = 1.0
_TRY_SECONDS = 30.0  # until an attempt to send counts as failed; it is repeated
_POLL_SECONDS = 0.005

_clock = SystemClock()
_NOBODY = Policy(sampling.threshold(0), errors=False)

Write = Callable[[Sequence[Any], Mask], Iterator[tuple[int, bytes]]]


class Telemetry:
    """The queue and what empties it. One per process."""

    def __init__(self, told: Mapping[str, Any] | None = None, client: AsyncClient | None = None) -> None:
        self._told: dict[str, Any] = dict(told or {})
        self._client = client
        self._opening = threading.RLock()
        self._queue: deque[tuple[str, Any]] = deque()
        self._held = 0  # records on the queue or in the thread's hands
        self._bytes = 0  # of them
        self._lost = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._awake = False
        self._hurried = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended = self._forked = False
        self._looked_ns = 0
        self._writers: dict[str, Write] = {}

    def __getattr__(self, name: str) -> Any:
        """What is opened when it is first needed: the environment may be set after the import."""
        if name not in {"options", "policy", "outbox", "_offline", "_mask", "_writer"}:
            raise AttributeError(f"telemetry has no {name!r}")
        with self._opening:
            if name not in self.__dict__:
                self._open()
        return self.__dict__[name]

    @property
    def dropped(self) -> int:
        """Records that were not sent and never will be."""
        return self._lost + self.outbox.dropped

    @property
    def sent(self) -> int:
        """Records that flyball has taken."""
        return self.outbox.sent

    def take(self, span: RunningSpan) -> None:
        """Send a span some time soon."""
        self._put("span", span, len(span.input) + len(span.output) + _RECORD_BYTES)

    def feedback(self, said: dict[str, Any]) -> None:
        """Send a judgement some time soon, after the spans before it."""
        self._put("feedback", said, _RECORD_BYTES)

    def take_foreign(self, kind: str, record: Any, texts: int) -> None:
        """Send a record of another tracer, which `write_with` knows to write; `texts` is about how long they are."""
        self._put(kind, record, texts + 2 * _RECORD_BYTES)

    def write_with(self, kind: str, write: Write) -> None:
        """How records of a kind become the bytes of a batch."""
        self._writers[kind] = write

    def _put(self, kind: str, record: Any, size: int) -> None:
        try:
            if self.policy is _NOBODY or self._forked:
                return
            with self._lock:
                outbox = self.outbox
                full = (
                    self._held + outbox.in_memory_records >= MOST_WAITING
                    or self._bytes + outbox.in_memory + size > _MOST_BYTES
                )
                if full:
                    self._lost += 1
                else:
                    self._queue.append((kind, record))
                    self._held += 1
                    self._bytes += size
                wake, self._awake = not self._awake, True
            if full:
                warn_once("flyball does not keep up or is away: spans are dropped, and counted")
            if wake:
                self._wake_thread()
        except Exception as error:  # noqa: BLE001 -- the application's own work goes on, whatever is wrong with ours
            self._awake = False  # the next record tries again to wake the thread
            warn_once(f"telemetry failed ({error!r:.200})")

    def _wake_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="flyball telemetry", daemon=True)
            thread.start()
            self._thread = thread
        self._wake.set()

    def flush(self, seconds: float, *, leaving: bool = False) -> bool:
        """Wait until everything is sent; False when that took too long.

        A process that is leaving does not wait for what lies safe in the folder while flyball is away.
        """
        if not self._held and "outbox" not in self.__dict__:
            return True
        until_ns = _clock.monotonic_ns() + int(seconds * NANOSECONDS)
        pause = threading.Event()
        self._hurry()
        if self._thread is None and self._held:
            self._collect_here()
        while self._held or self.outbox.waiting:
            if leaving and not self._held and self.outbox.failing and self.outbox.kept_safe:
                return False
            if _clock.monotonic_ns() >= until_ns:
                return False
            pause.wait(_POLL_SECONDS)
            if self._held and not self._hurried.is_set():
                self._hurry()
        return True

    def another(self, told: Mapping[str, Any], client: AsyncClient | None) -> "Telemetry":
        """One that begins anew and knows the same writers."""
        made = Telemetry(told, client)
        made._writers = self._writers
        return made

    def end(self) -> None:
        """Send nothing more and let the thread end, for tests that begin anew."""
        self._ended = True
        if "outbox" in self.__dict__:
            self.outbox.end()
        self._hurry()
        self._wake.set()

    def close(self) -> None:
        """At the end of the program: no thread of ours, and no answer, comes into what the interpreter does then."""
        self._ended = True
        self._hurried.set()
        self._wake.set()
        try:
            if self._thread is not None:
                self._thread.join(_CLOSE_SECONDS)
            if "outbox" in self.__dict__ and self.outbox.began:
                bridge.run(self.outbox.close(), seconds=_CLOSE_SECONDS)
        except (RuntimeError, TimeoutError) as error:
            warn_once(f"telemetry does not end well ({error!r:.200})")

    def leave_to_parent(self) -> None:
        """In a forked child: what waits here is the parent's to send."""
        self._forked = True
        if offline := self.__dict__.get("_offline"):
            offline.close()

    def _hurry(self) -> None:
        self._hurried.set()
        try:
            if "outbox" in self.__dict__ and self.outbox.waiting:
                self.outbox.hurry()
        except RuntimeError:  # no thread can be started while the interpreter shuts down
            pass

    def _open(self) -> None:
        options, complaints = from_environment()
        options = msgspec.structs.replace(options, **self._told)
        client = self._client or AsyncClient(options.server, options.key.reveal(), seconds=_TRY_SECONDS)
        offline = None
        if not client.configured:
            complaints.append("FLYBALL_SERVER and FLYBALL_KEY are not set: nothing is observed")
        elif options.offline:
            offline = _opened_offline(options, complaints)
        self.options = options
        self._mask = Mask(options.mask)
        self._writer = Writer(self._mask, options.service, options.environment)
        self._offline = offline
        self.outbox = Outbox(client, offline)
        least = sampling.threshold(options.sample)
        policy = Policy(least, options.sample_errors, sampling.tracestate(least))
        self.policy = policy if client.configured else _NOBODY
        for complaint in complaints:
            warn_once(complaint)

    def _run(self) -> None:
        """The thread: gather for a moment, write, hand over."""
        gather = _GATHER_SECONDS if self._offline is None else _GATHER_OFFLINE_SECONDS
        while not self._ended:
            self._wake.wait()
            self._hurried.wait(gather)
            self._wake.clear()
            self._hurried.clear()
            try:
                self._look_for_left_behind()
                self._collect()
            except Exception as error:  # noqa: BLE001 -- the door of a thread that nobody joins
                warn_once(f"telemetry failed ({error!r:.200})")

    def _look_for_left_behind(self) -> None:
        now_ns = _clock.monotonic_ns()
        if self._offline is None or (self._looked_ns and now_ns - self._looked_ns < _LOOK_AGAIN_NS):
            return
        self._looked_ns = now_ns
        for path in self._offline.left_behind():
            self.outbox.take_over(path)

    def _collect_here(self) -> None:
        """Where no thread could be started: the interpreter is shutting down, or allows no more."""
        try:
            self._collect()
        except Exception as error:  # noqa: BLE001 -- called at the end of a program
            warn_once(f"telemetry failed ({error!r:.200})")

    def _collect(self) -> None:
        with self._lock:
            taken, self._queue = self._queue, deque()
            held, size = self._held, self._bytes
            self._awake = False
        try:
            # In batches of one kind; a judgement follows all spans that came before it.
            for kind in ROUTES:
                records = [record for of, record in taken if of == kind]
                for start in range(0, len(records), _BATCH):
                    self._hand_over(kind, records[start : start + _BATCH])
        finally:
            with self._lock:
                self._held -= held
                self._bytes -= size

    def _hand_over(self, kind: str, records: list[Any]) -> None:
        between = ROUTES[kind].between
        pieces: list[bytes] = []
        count = size = 0
        for number, piece in self._pieces(kind, records):
            if pieces and (between is None or size + len(piece) > _BATCH_BYTES):
                self.outbox.put(kind, count, (between or b"").join(pieces))
                pieces, count, size = [], 0, 0
            pieces.append(piece)
            count += number
            size += len(piece)
        if pieces:
            self.outbox.put(kind, count, (between or b"").join(pieces))

    def _pieces(self, kind: str, records: list[Any]) -> Iterator[tuple[int, bytes]]:
        """How many records, and their bytes; the application's threads get their turn in between."""
        if kind in self._writers:
            written = 0
            for count, message in self._writers[kind](records, self._mask):
                written += count
                sleep(0)
                yield count, message
            self._lost += len(records) - written
            return
        for number, record in enumerate(records):
            if piece := self._written(kind, record):
                yield 1, piece
            if number % _SLICE == 0:
                sleep(0)

    def _written(self, kind: str, record: Any) -> bytes:
        try:
            if kind == "span":
                written: bytes = self._writer.span(record)
                record.forget()
                return written
            return msgspec.json.encode(self._mask_feedback(record))
        except Exception as error:  # noqa: BLE001 -- one record that cannot be written takes no other with it
            self._lost += 1
            warn_once(f"a span is left out ({error!r:.200})")
            return b""

    def _mask_feedback(self, said: dict[str, Any]) -> dict[str, Any]:
        texts = {name: self._mask.text(as_text(said[name])) for name in ("comment", "correction")}
        return said | texts


def _opened_offline(options: Options, complaints: list[str]) -> Offline | None:
    try:
        offline = Offline(options.offline, options.offline_bytes, options.key.reveal())
        if others := offline.others():
            complaints.append(f"{others} batches in {options.offline} wait for another key, and stay there")
    except OSError as error:
        complaints.append(f"the offline folder cannot be used ({error}): what waits is in memory alone")
        return None
    return offline
