"""Which span is running here, and what it says when it ends. Knows ids, times and context; knows not where spans go."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import msgspec

from flyball.kit.clock import SystemClock
from flyball.kit.ids import new_span_id, new_trace_id

LONGEST_TEXT = 1_000_000  # characters of input or output that are sent; what is longer is cut and says so
_LONGEST_NAME = 1_000

_clock = SystemClock()


class Place(NamedTuple):
    """A span's place: its trace and its own id."""

    trace_id: str
    span_id: str


_current: ContextVar[Place | None] = ContextVar("flyball_span", default=None)


def current_trace_id() -> str:
    """The id of the trace that is being observed here; empty outside of one."""
    place = _current.get()
    return place.trace_id if place else ""


def trace_headers() -> dict[str, str]:
    """Headers by which a call to flyball, or to another service, becomes a child of the span that is observed here."""
    place = _current.get()
    return {"traceparent": f"00-{place.trace_id}-{place.span_id}-01"} if place else {}


class RunningSpan:
    """A span that has begun. It ends once; ending it again does nothing."""

    def __init__(self, name: str, kind: str, input: str, emit: Callable[[dict[str, Any]], None]) -> None:  # noqa: A002 -- the product's word
        parent = _current.get()
        self.place = Place(parent.trace_id if parent else new_trace_id(), new_span_id())
        self._emit: Callable[[dict[str, Any]], None] | None = emit
        self._started = _clock.monotonic_ns()
        self._said: dict[str, Any] = {
            "trace_id": self.place.trace_id,
            "span_id": self.place.span_id,
            "parent_id": parent.span_id if parent else "",
            "name": name[:_LONGEST_NAME],
            "kind": kind[:_LONGEST_NAME],
            "start_ns": _clock.now_ns(),
            "input": input,
        }

    @contextmanager
    def as_current(self) -> Iterator[None]:
        """What is observed inside is this span's child."""
        token = _current.set(self.place)
        try:
            yield
        finally:
            _current.reset(token)

    def finish(self, output: str = "", error: BaseException | None = None) -> None:
        """It has ended, well or badly."""
        emit, self._emit = self._emit, None
        if emit is None:
            return
        # The duration by the clock that does not jump.
        end_ns = self._said["start_ns"] + _clock.monotonic_ns() - self._started
        self._said |= {"end_ns": end_ns, "output": output, "status": "error" if error else "ok"}
        if error is not None:
            self._said["error"] = "".join(traceback.format_exception_only(error)).strip()[:LONGEST_TEXT]
        emit(self._said)


def as_text(value: Any) -> str:
    """A value as it is shown: text as it is, everything else as JSON, what JSON does not know by its repr. Never raises."""
    try:
        text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr).decode()
        text.encode()  # half a surrogate pair cannot be sent
    except Exception:  # noqa: BLE001 -- somebody else's repr or properties; observing must not change what is observed
        text = f"<a {type(value).__name__} that cannot be shown>"
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}… ({len(text):,} characters)"
    return text


def arguments_as_text(arguments: Mapping[str, Any]) -> str:
    """A call's arguments by name, without the object or class that a method belongs to."""
    return as_text({name: value for name, value in arguments.items() if name not in {"self", "cls"}})
