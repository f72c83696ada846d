"""One child process: started, known to be ready, read, stopped. Knows no other child and never starts itself again."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .environment import child_environment
from .errors import ChildFailedError
from .handshake import BEGIN, READY
from .leash import leash
from .logs import ChildLog


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What a child is. Children are stopped wave by wave, the lowest first. One that nobody waits for is started `later`."""

    name: str
    command: tuple[str, ...]
    knobs: Mapping[str, str] = field(default_factory=dict)
    inherits: tuple[int, ...] = ()
    sockets: tuple[Path, ...] = ()  # what it listens on: removed when it ends, since a killed one leaves them
    stop_wave: int = 0
    later: bool = False  # when the others are ready, so that it does not take the processor from them
    grace_seconds: float = 30.0
    ready_within_seconds: float = 30.0


class Child:
    """A process that runs at most once at a time; `start` may be called again after it ended."""

    def __init__(self, spec: ChildSpec, log: ChildLog) -> None:
        self.spec = spec
        self.log = log
        self.ended = asyncio.Event()
        self.ended.set()
        self.started = 0.0  # by the monotonic clock
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = _Pipe(lambda _: None)
        self._printed = _Pipe(log.write)
        self._begin = -1

    @property
    def pid(self) -> int:
        """The process, or 0 before the first start."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return not self.ended.is_set()

    @property
    def was_killed(self) -> bool:
        """Whether it ended by SIGKILL."""
        return self._process is not None and self._process.returncode == -signal.SIGKILL

    def start(self) -> None:
        """Start the process; it waits for `begin` once its imports are done. Call it from the event loop's thread.

        Raises:
            ChildFailedError: the operating system refused.
        """
        self._remove_sockets()
        self.log.begin()
        self.started = time.monotonic()
        self.starts += 1
        begin, printed, ready = os.pipe(), os.pipe(), os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own command
                self.spec.command,
                stdin=subprocess.DEVNULL,
                stdout=printed[1],
                stderr=printed[1],
                pass_fds=(*self.spec.inherits, begin[0], ready[1]),
                env=child_environment({**self.spec.knobs, BEGIN: str(begin[0]), READY: str(ready[1])}),
                start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor alone, which stops in order
                preexec_fn=leash(),  # noqa: PLW1509 -- it takes no lock and imports nothing after the fork
            )
        except OSError as error:
            _close(begin[1], printed[0], ready[0])
            raise ChildFailedError(
                f"{self.spec.name} could not be started: {error}", next_step="run `flyball doctor`"
            ) from error
        finally:
            _close(begin[0], printed[1], ready[1])
        self._begin = begin[1]
        self.ended.clear()
        self._printed.listen(printed[0])
        self._heard.listen(ready[0])
        _when_ended(self._process.pid, self._end)

    def begin(self) -> None:
        """Tell the process that what it needs is there."""
        if self._begin >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._begin, b"b")
            _close(self._begin)
            self._begin = -1

    async def until_ready(self) -> None:
        """Return when the process says that it is ready.

        Raises:
            ChildFailedError: it ended or took too long; with its last lines.
        """
        try:
            async with asyncio.timeout(self.spec.ready_within_seconds):
                await self._heard.closed.wait()
        except TimeoutError:
            raise self._failure(f"was not ready within {self.spec.ready_within_seconds:g} s") from None
        if not self._heard.anything:
            await self.ended.wait()
            raise self._failure(self.how_it_ended())

    def how_it_ended(self) -> str:
        """`ended with exit code 1` or `was killed by signal 9 (Killed)`."""
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"was killed by signal {-code} ({signal.strsignal(-code) or 'unknown'})"
        return f"ended with exit code {code}"

    async def stop(self, grace_seconds: float) -> bool:
        """Ask it to stop, wait, and insist with SIGKILL. Whether it stopped of itself."""
        self._signal(signal.SIGTERM)
        self.begin()  # one that still waits to begin could not hear otherwise
        try:
            async with asyncio.timeout(grace_seconds):
                await self.ended.wait()
        except TimeoutError:
            self.kill()
            await self.ended.wait()
            return False
        return True

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            os.kill(self._process.pid, number)  # not reaped while running, so the number is still its own

    def _end(self) -> None:
        assert self._process is not None  # noqa: S101 -- it was started
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # whatever it had started itself
        self._process.wait()
        self._printed.close()
        self._heard.close()
        if self._begin >= 0:
            _close(self._begin)
            self._begin = -1
        self.log.close()
        self._remove_sockets()  # callers are refused at once, instead of waiting for nobody
        self.ended.set()

    def _remove_sockets(self) -> None:
        for path in self.spec.sockets:
            path.unlink(missing_ok=True)

    def _failure(self, what: str) -> ChildFailedError:
        lines = "".join(f"\n    {line}" for line in self.log.last_lines())
        return ChildFailedError(
            f"{self.spec.name} {what}" + (f"; it said last:{lines}" if lines else " and said nothing"),
            next_step=f"read {self.log.path}, then run `flyball doctor`",
        )


class _Pipe:
    """The reading end of a pipe in the event loop: passes on what arrives, and knows when the other end closed."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self.closed = asyncio.Event()
        self.anything = False
        self._take = take
        self._descriptor = -1

    def listen(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.closed.clear()
        self.anything = False
        self._descriptor = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def close(self) -> None:
        """Take what is still there, then let go."""
        while self._descriptor >= 0 and self._read():
            pass
        self._let_go()

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return False
        if not data:
            self._let_go()
            return False
        self.anything = True
        self._take(data)
        return True

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            _close(self._descriptor)
            self._descriptor = -1
        self.closed.set()


def _when_ended(pid: int, call: Callable[[], None]) -> None:
    """Call in the event loop when the process has ended and not yet been reaped: its number is still its own then."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            loop.call_soon_threadsafe(call)

    threading.Thread(target=wait, name=f"wait-{pid}", daemon=True).start()


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
