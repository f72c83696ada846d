"""Which span is running here, where it belongs, and what is said of it until it ends.

Knows ids, times, context and the trace that spans of one process share. Knows not where spans go: whoever records them is
handed in. What is called between a span's beginning and its end runs in the application's own thread, so it is little.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol, Unpack

from flyball.kit.clock import SystemClock

from . import propagation, sampling
from .ids import new_span_id, new_trace_id
from .propagation import Carried, Headers
from .saying import NOTHING, Said, Sayable, Words, add_event, add_link, add_words
from .texts import Caught
from .warning import warn_once

_clock = SystemClock()
_now_ns, _monotonic_ns = _clock.now_ns, _clock.monotonic_ns


class Policy(NamedTuple):
    """Which traces are recorded (see `sampling`), whether a span that fails is though its trace is not, and how that is told."""

    least: int
    errors: bool
    tracestate: str = ""


class Recorder(Protocol):
    """Who takes ended spans. Never raises."""

    policy: Policy

    def take(self, span: "RunningSpan") -> None:
        """A span has ended."""
        ...


class LocalTrace:
    """A trace in this process: what all its spans here have in common."""

    __slots__ = ("__weakref__", "baggage", "epoch_ns", "recorded", "session", "tags", "trace_id", "tracestate", "user")

    def __init__(self, around: "Surrounding", policy: Policy) -> None:
        # All its spans read the clock that does not jump: a child never ends after its parent.
        self.epoch_ns = _now_ns() - _monotonic_ns()
        carried = around.carried
        self.baggage, self.session, self.user, self.tags = carried.baggage, carried.session, carried.user, around.tags
        if carried.trace_id:
            self.trace_id, self.recorded, self.tracestate = carried.trace_id, carried.recorded, carried.tracestate
        else:
            self.trace_id = new_trace_id()
            self.recorded = not policy.least or sampling.recorded(self.trace_id, policy.least)
            self.tracestate = policy.tracestate


class Surrounding(NamedTuple):
    """What spans belong to that begin where none is running."""

    carried: Carried
    tags: tuple[str, ...] = ()


class Below(NamedTuple):
    """A place in a trace of ours, under a span of another tracer."""

    trace: LocalTrace
    span_id: str


_NOWHERE = Surrounding(Carried())


class RunningSpan(Sayable):
    """A span that has begun. It ends once; what is said after that, and ending it again, does nothing."""

    __slots__ = (
        *("_recorder", "end_ns", "error", "input", "kind", "name", "output", "parent_id", "remote_parent"),
        *("said", "shared", "start_ns", "trace"),
    )

    def __init__(self, name: str, kind: str, recorder: Recorder) -> None:
        around = _current.get() if _join is None else _join.around(_current.get())
        self.remote_parent = False
        if type(around) is RunningSpan:
            self.trace: LocalTrace = around.trace
            self.parent_id: str = around.span_id
        elif type(around) is Below:
            self.trace, self.parent_id = around
        else:
            above = around if type(around) is Surrounding else _NOWHERE
            self.trace, self.parent_id = LocalTrace(above, recorder.policy), above.carried.span_id
            self.remote_parent = self.parent_id != ""
        self.span_id = new_span_id()
        self._recorder = recorder
        self.name, self.kind = name, kind
        self.input: Caught = ""
        self.output: Caught = ""
        self.error = ""
        self.said: Said | None = None
        self.shared: tuple[str, str, tuple[str, ...]] = _UNSHARED
        self.end_ns = 0
        self.start_ns = self.trace.epoch_ns + _monotonic_ns()

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to."""
        return self.trace.trace_id

    @property
    def recorded(self) -> bool:
        """Whether what is said of it is sent; one that fails may be sent though this is False."""
        return self.trace.recorded

    def first_item(self) -> None:
        """The first item of a stream has come."""
        self.said = self.said or Said()
        self.said.fields["first_token_ns"] = self.trace.epoch_ns + _monotonic_ns() - self.start_ns

    def set(self, **words: Unpack[Words]) -> None:
        """Say what it is about; see `Words`."""
        try:
            if not self.end_ns:
                self.said = self.said or Said()
                add_words(self.said, self.trace, words)
        except Exception as error:  # noqa: BLE001 -- the application's own work goes on, whatever it says
            warn_once(f"what was said of a span is left out ({error!r:.200})")

    def event(self, name: str, **attributes: Any) -> None:
        """Something happened now."""
        try:
            if not self.end_ns:
                self.said = self.said or Said()
                add_event(self.said, name, attributes)
        except Exception as error:  # noqa: BLE001 -- as above
            warn_once(f"an event of a span is left out ({error!r:.200})")

    def link(self, trace_id: str = "", span_id: str = "", *, headers: Headers = (), **attributes: Any) -> None:
        """It has to do with another span: by its ids, or by the headers that it sent."""
        try:
            if not self.end_ns:
                self.said = self.said or Said()
                add_link(self.said, trace_id, span_id, headers, attributes)
        except Exception as error:  # noqa: BLE001 -- as above
            warn_once(f"a link of a span is left out ({error!r:.200})")

    def finish(self, output: Caught = "", error: str = "") -> None:
        """It has ended, well or badly."""
        if self.end_ns:
            return
        trace = self.trace
        self.end_ns = trace.epoch_ns + _monotonic_ns()
        if trace.recorded or (error and self._recorder.policy.errors):
            self.output, self.error = output, error
            if trace.session or trace.user or trace.tags:
                self.shared = (trace.session, trace.user, trace.tags)
            self._recorder.take(self)
        else:
            self.forget()

    def forget(self) -> None:
        """Let go of its texts: contexts that outlive it hold on to it."""
        self.input = self.output = self.error = ""
        self.said = None


_UNSHARED: tuple[str, str, tuple[str, ...]] = ("", "", ())
Around = RunningSpan | Surrounding | Below | None


class Join(Protocol):
    """Another tracer in this process, whose spans and ours are one tree."""

    def around(self, ours: Around) -> Around:
        """The innermost span, whoever began it."""
        ...

    def attach(self, carried: Carried) -> Any:
        """The other's spans are children of this place from here on; what undoes it."""
        ...

    def detach(self, token: Any) -> None:
        """Undo it."""
        ...


_current: ContextVar[Around] = ContextVar("flyball_span", default=None)
_join: Join | None = None


def join_with(join: Join | None) -> None:
    """Spans of another tracer and ours are one tree from here on."""
    global _join  # noqa: PLW0603 -- one per process
    _join = join


def enter(span: RunningSpan) -> Any:
    """What is observed from here on is its child; what `leave` takes."""
    join, token = _join, _current.set(span)
    return token if join is None else (token, join, join.attach(_carried(span)))


def leave(token: Any) -> None:
    """As before."""
    if type(token) is tuple:
        token, join, theirs = token
        join.detach(theirs)
    _current.reset(token)


def current_span() -> Sayable:
    """The innermost span that is observed here; where there is none, something that takes the same words and keeps none."""
    span = _current.get()
    return span if type(span) is RunningSpan else NOTHING


def shared_here() -> tuple[str, str, tuple[str, ...]]:
    """Session, user and tags of the trace that is observed here."""
    place = _current.get()
    if isinstance(place, Surrounding):
        return place.carried.session, place.carried.user, place.tags
    return ("", "", ()) if place is None else (place.trace.session, place.trace.user, place.trace.tags)


def current_trace_id() -> str:
    """The id of the trace that is being observed here; empty outside of one."""
    return _here().trace_id


def recorded_here() -> bool:
    """False where a trace is observed that is not recorded."""
    carried = _here()
    return carried.recorded or not carried.trace_id


def trace_headers(*, baggage: bool = True) -> dict[str, str]:
    """Headers by which a call to flyball, or to another service, becomes a child of the span that is observed here.

    `baggage=False` leaves out the session, the user and what else came as baggage: for services of others.
    """
    carried = _here()
    said = {}
    if carried.trace_id:
        said["traceparent"] = propagation.traceparent(carried.trace_id, carried.span_id, recorded=carried.recorded)
        said["tracestate"] = carried.tracestate
    if baggage:
        said["baggage"] = propagation.baggage(carried.baggage, carried.session, carried.user)
    return {name: value for name, value in said.items() if value}


@contextmanager
def trace_context(
    headers: Headers = (), *, session: str = "", user: str = "", tags: tuple[str, ...] = ()
) -> Iterator[None]:
    """What is observed inside belongs to the trace that the headers of a request name, to this session and user.

    Headers without a trace leave it where it is. Never raises.
    """
    token = _surround(headers, session, user, tags)
    try:
        yield
    finally:
        if token is not None:
            leave(token)


def _surround(headers: Headers, session: str, user: str, tags: tuple[str, ...]) -> Any:
    try:
        carried = propagation.read(headers)
    except Exception as error:  # noqa: BLE001 -- headers of any make; the application's own work goes on
        warn_once(f"the headers of a request are not understood ({error!r:.200})")
        carried = Carried()
    here = _current.get()
    session, user = session or carried.session, user or carried.user
    if type(here) is RunningSpan and not carried.trace_id:
        here.set(session=session, user=user, tags=tags)
        return None
    outer = here if type(here) is Surrounding else _NOWHERE
    if not carried.trace_id:
        carried = outer.carried._replace(baggage=carried.baggage or outer.carried.baggage)
    carried = carried._replace(session=session or outer.carried.session, user=user or outer.carried.user)
    join, token = _join, _current.set(Surrounding(carried, (*outer.tags, *tags)))
    return token if join is None or not carried.trace_id else (token, join, join.attach(carried))


def _here() -> Carried:
    ours = _current.get()
    try:
        return _carried(ours if _join is None else _join.around(ours))
    except Exception as error:  # noqa: BLE001 -- another tracer's; the application's own work goes on
        warn_once(f"another tracer's span is not understood ({error!r:.200})")
        return _carried(ours)


def _carried(place: Around) -> Carried:
    """What a call from here carries."""
    if place is None or isinstance(place, Surrounding):
        return Carried() if place is None else place.carried
    trace = place.trace
    return Carried(
        trace.trace_id, place.span_id, trace.recorded, trace.tracestate, trace.baggage, trace.session, trace.user
    )
