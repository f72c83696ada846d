"""Running the operator's rules code: in a thread of its own, with a time limit, its failures told with file and line.

The thread is a limit on waiting, not a wall: rules are the operator's own code and run with the runner's authority.
"""

import asyncio
import ctypes
import os
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import msgspec

from flyball.indexes.records import Passage
from flyball.kit.errors import FlyballError

from .errors import RunnerBusyError, VariantFailedError, VariantTimedOutError
from .passages import Passages
from .records import Answer, Citation, Input, PassageRef
from .references import Reference

T = TypeVar("T")
MOST_THREADS = 64
LARGEST_ANSWER = 8 * 1024 * 1024  # bytes, its citations and passages included
_GRACE_SECONDS = 0.05
_LONGEST_REASON = 500

_threads = threading.BoundedSemaphore(MOST_THREADS)
_overdue: dict[threading.Thread, float] = {}  # told to stop, and the CPU seconds that each had used by then


class RuleTools:
    """What a rule is given beside its input. Its methods may be called from the rule's thread only."""

    def __init__(self, passages: Passages) -> None:
        self._passages = passages

    def retrieve(self, query: str, k: int | None = None) -> list[Passage]:
        """The best `k` passages of the variant's index, best first; `k` as declared unless given."""
        return self._passages.search(query, k)

    def cite(self, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
        """A citation of `passage.text[start:end]`, with its place in the source document."""
        return self._passages.cite(passage, start, end)

    def reference(self, passage: Passage) -> PassageRef:
        """The passage without its text; for `Answer(passages=...)` of a rule that orders passages anew."""
        return self._passages.reference(passage)


async def run_rule(
    where: str,
    reference: Reference,
    load: Callable[[], Callable[..., Any]],
    input_: Input,
    *,
    passages: Passages,
    seconds: float,
) -> Answer:
    """Call `function(input, tools)`. `load` gives the function and may run the module's own code.

    Raises:
        VariantFailedError: it raised, or returned no answer; names function, variant, file and line.
        VariantTimedOutError: it took longer than `seconds`.
        RunnerBusyError: too many rules run at once.
    """

    def work() -> Any:
        return load()(dict(input_), RuleTools(passages))

    try:
        returned = await in_thread(work, seconds, name=where)
    except RaisedInThreadError as raised:
        if isinstance(raised.error, FlyballError):
            raise raised.error from None
        raise _told(where, reference, raised.error) from raised.error
    except TimeoutError:
        raise VariantTimedOutError(
            f"{where}: {reference.path} took longer than {seconds:g} s",
            next_step="make the rule faster, or raise the variant's `timeout_seconds`",
        ) from None
    return _answer(where, reference, returned)


def _answer(where: str, reference: Reference, returned: Any) -> Answer:
    """What was returned as an answer that can be told: of the right types, of a size that makes sense, of sound characters."""
    said = f"{where}: {reference.path}: {reference.function!r} returned"
    if isinstance(returned, str):
        returned = Answer(text=returned)
    elif isinstance(returned, dict):
        returned = Answer(text="", output=returned)
    elif not isinstance(returned, Answer):
        raise VariantFailedError(f"{said} {type(returned).__name__}", next_step="return an Answer, a str or a dict")
    try:
        told = msgspec.json.encode(returned)
        answer = msgspec.json.decode(told, type=Answer)  # records do not check their types when made
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise VariantFailedError(f"{said} a wrong Answer: {error}") from None
    if len(told) > LARGEST_ANSWER:
        raise VariantFailedError(
            f"{said} an answer of {len(told):,} bytes; the most is {LARGEST_ANSWER:,}", next_step="return less text"
        )
    return answer


def _told(where: str, reference: Reference, error: BaseException) -> VariantFailedError:
    """The operator's own exception, with the last line of the operator's own file that it passed through."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return VariantFailedError(
        f"{where}: {reference.path}{_line(error, error.__traceback__, reference)}: {reason:.{_LONGEST_REASON}}",
        next_step=f"correct {reference.path} and run `flyball apply`",
    )


def _line(error: BaseException, trace: TracebackType | None, reference: Reference) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(trace) if frame.filename.endswith(f"/{reference.module}.py")
    ]
    return f":{lines[-1]}" if lines else ""


class RaisedInThreadError(Exception):
    """Carries whatever was raised out of its thread."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class _RuleStopped(BaseException):
    """Ends a thread whose time is over, at its next Python instruction."""


async def in_thread(work: Callable[[], T], seconds: float, *, name: str) -> T:
    """Run blocking code in a daemon thread and wait at most `seconds`.

    Raises:
        TimeoutError: the time is over; the thread is told to stop.
        RaisedInThreadError: the work raised anything at all.
        RunnerBusyError: too many threads are at work.
    """
    if not _threads.acquire(blocking=False):
        raise RunnerBusyError(
            f"{name}: {MOST_THREADS} rules run at once in this process",
            next_step="try again, or make slow rules faster",
        )
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if not future.done():
            future.set_result((result, error))

    def body() -> None:
        try:
            try:
                outcome: tuple[T | None, BaseException | None] = (work(), None)
            except BaseException as error:  # noqa: BLE001 -- the door to the operator's code, which may raise anything
                outcome = (None, error)
            loop.call_soon_threadsafe(settle, *outcome)
        except (_RuleStopped, RuntimeError):
            pass  # nobody waits any more: the time was over, or the loop has closed
        finally:
            _threads.release()

    thread = threading.Thread(target=body, name=name, daemon=True)
    thread.start()
    try:
        async with asyncio.timeout(seconds):
            result, error = await future
    except (TimeoutError, asyncio.CancelledError):
        _stop(thread)
        raise
    if error is not None:
        raise RaisedInThreadError(error)
    return result  # type: ignore[return-value] # without an error it is what `work` returned


def _stop(thread: threading.Thread) -> None:
    """Raise inside a thread that is still at work. Code in C (a sleep, a regular expression) ends first."""
    if thread.is_alive() and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_RuleStopped))
        _overdue[thread] = _cpu_seconds(thread)


class Wasted(NamedTuple):
    """Threads that were told to stop and are still there, and the CPU seconds that they used since."""

    threads: int
    seconds: float


def wasted() -> Wasted:
    """What rules that do not stop cost this process, which nobody but its end can take back."""
    for thread in [thread for thread in _overdue if not thread.is_alive()]:
        del _overdue[thread]
    return Wasted(len(_overdue), sum(_cpu_seconds(thread) - before for thread, before in _overdue.items()))


def _cpu_seconds(thread: threading.Thread) -> float:
    """As Linux tells it; elsewhere nobody counts. The thread's own clock is not asked: the thread may end meanwhile."""
    try:
        told = Path(f"/proc/self/task/{thread.native_id}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    user, system = told.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
