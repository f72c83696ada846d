"""Running the operator's rules code: in a thread of its own, with a time limit, its failures told with file and line.

The thread is a limit on waiting, not a wall: rules are the operator's own code and run with the runner's authority.
"""

import asyncio
import ctypes
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from flyball.indexes.records import Passage
from flyball.kit.errors import FlyballError

from .errors import RunnerBusyError, VariantFailedError, VariantTimedOutError
from .passages import Passages
from .records import Answer, Citation, Input, PassageRef
from .references import Reference

T = TypeVar("T")
MOST_THREADS = 64
_GRACE_SECONDS = 0.05
_LONGEST_REASON = 500

_threads = threading.BoundedSemaphore(MOST_THREADS)


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
    if isinstance(returned, str):
        return Answer(text=returned)
    if isinstance(returned, dict):
        return Answer(text="", output=returned)
    if not isinstance(returned, Answer):
        raise VariantFailedError(
            f"{where}: {reference.path}: {reference.function!r} returned {type(returned).__name__}",
            next_step="return an Answer, a str or a dict",
        )
    try:
        return msgspec.convert(msgspec.to_builtins(returned), Answer)  # records do not check their types when made
    except (msgspec.ValidationError, TypeError) as error:
        raise VariantFailedError(
            f"{where}: {reference.path}: {reference.function!r} returned a wrong Answer: {error}"
        ) from None


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
