"""What happened: notes of one call while it goes on, and its spans, written exactly once, before the last byte is sent.

Writing is synchronous (a copy into mapped memory), so no cancellation can come between. One span for the call; under it
one per attempt at an upstream, each with its own usage and cost; a function's variant brings its own spans.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import msgspec

from flyball.functions.records import Answer
from flyball.kit.clock import Clock
from flyball.kit.errors import FlyballError
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.ledger.cover import NO_COVER, Cover
from flyball.ledger.records import Reservation
from flyball.llm.dialect import Asked
from flyball.llm.errors import UpstreamError, UpstreamRefusedError
from flyball.llm.losses import Losses
from flyball.llm.translation import dialect
from flyball.llm.usage import Usage, estimated, tokens_of
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.pricing import Cost, cost
from flyball.projects.key_records import ActiveKey
from flyball.traces.records import Span

from .bill import LEFT, Called, entries_of
from .choose import FunctionRoute, ModelRoute, Route, extension
from .errors import ClientGoneError
from .expecting import Expectations
from .till import Till

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_LONGEST_TEXT = 256 * 1024  # characters of input or output that a span carries; the rest is counted, not kept
_LONGEST_NAME = 200
_MOST_NAMES = 100


class Recorder(Protocol):
    """Where spans go. Keeps one at once or says that it had no room; never waits."""

    def append(self, span: Span) -> bool:
        """Keep a span."""
        ...


class Desk(Protocol):
    """What notes are taken with."""

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def recorder(self) -> Recorder:
        """Where spans go."""
        ...

    @property
    def till(self) -> Till:
        """Where what calls cost goes."""
        ...

    @property
    def expectations(self) -> Expectations:
        """What calls cost lately."""
        ...


class Attempt:
    """One try at one endpoint."""

    def __init__(self, endpoint: ResolvedEndpoint, start_ns: int) -> None:
        self.endpoint = endpoint
        self.span_id = new_span_id()
        self.start_ns = start_ns
        self.end_ns = 0
        self.first_content_ns = 0
        self.events_with_content = 0
        self.answered_by = ""
        self.usage: Usage | None = None
        self.usage_raw: dict[str, Any] | None = None
        self.error = ""
        self.dialect = ""
        self.dropped = Losses(endpoint.provider)  # what its request or its answer could not carry
        self.asked = False  # its upstream was sent the question
        self.answered = False  # its upstream has begun to answer
        self.whole = False  # its answer came to its end, and with it whatever was told of usage
        self.cost = Cost(None, "")

    def estimate(self, question: bytes, *, left: bool) -> None:
        """Where an answer broke off before its usage came: what was seen of it, marked as an estimate.

        `left`: it was broken off here, because nobody waited for it any more. Then what was asked counts too, of which nothing came:
        whoever hangs up early enough would otherwise call for nothing.
        """
        told = self.usage
        if self.whole or not (told or self.events_with_content or (left and self.asked and not self.error)):
            return
        self.usage = estimated(told, question_tokens=tokens_of(question), pieces=self.events_with_content)


class Entry:
    """The notes of one call."""

    def __init__(self, headers: Mapping[bytes, bytes], caller: ActiveKey, desk: Desk) -> None:
        parent = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
        known = parent is not None and int(parent[1], 16) != 0 and int(parent[2], 16) != 0
        self.headers = headers
        self.trace_id = parent[1].decode() if parent and known else new_trace_id()
        self._parent_id = parent[2].decode() if parent and known else ""
        self.span_id = new_span_id()
        self.asked: Asked | None = None
        self.route: Route | None = None
        self.attempts: list[Attempt] = []
        self.answer: Answer | None = None
        self.spans: Sequence[Span] = ()
        self.finish_reason = ""
        self.epoch = 0
        self.caller = caller
        self.organisation = ""
        self.left = False  # its client has left: nobody is asked any more
        self.cover: Cover = NO_COVER
        self.promised: Sequence[int] = ()  # of each of its quotas
        self.reservation: Reservation | None = None
        self.tells_limits = False  # what the upstream says of its own goes by other names then
        self._desk = desk
        self._clock = desk.clock
        self._recorder = desk.recorder
        self._start_ns = self._clock.now_ns()
        self._texts: list[str] = []
        self._text_length = 0
        self._error = ""
        self._error_code = ""
        self._settled = False

    def attempt(self, endpoint: ResolvedEndpoint) -> Attempt:
        """A new try begins."""
        attempt = Attempt(endpoint, self._clock.now_ns())
        self.attempts.append(attempt)
        return attempt

    def leave(self) -> None:
        """The client has left. What is being answered may still be read to its end; nothing is asked anew."""
        self.left = True
        gone = ClientGoneError()
        self.fail(gone.code, gone.message)

    def failed(self, attempt: Attempt, failure: UpstreamError) -> None:
        """A try has ended without an answer: what came of one reached nobody."""
        if isinstance(failure, UpstreamRefusedError) and not attempt.first_content_ns:
            attempt.answered = False  # a refusal, whatever its status
        self._texts.clear()
        self._text_length, self.finish_reason = 0, ""
        attempt.end_ns, attempt.error = self._clock.now_ns(), f"{failure.code}: {failure.message}"

    def content(self, attempt: Attempt, text: str) -> None:
        """Some of the answer came from an upstream; text of it, or words of another choice, a thought, a call of a tool."""
        if not attempt.first_content_ns:
            attempt.first_content_ns = self._clock.now_ns()
        attempt.events_with_content += 1
        if text:
            self.text(text)

    def text(self, text: str) -> None:
        """Text of the answer; kept up to a limit."""
        if self._text_length < _LONGEST_TEXT:
            self._texts.append(text)
        self._text_length += len(text)

    def fail(self, code: str, message: str) -> None:
        """The call as a whole has failed. The first reason counts."""
        if not self._error:
            self._error_code, self._error = code, message

    def settle(self) -> None:
        """Write the spans. Once; later calls do nothing."""
        if self._settled:
            return
        self._settled = True
        end_ns = self._clock.now_ns()
        text = "".join(self._texts)[:_LONGEST_TEXT]
        if isinstance(self.route, ModelRoute) and self.asked is not None:
            for attempt in self.attempts:
                if attempt.error or self._error:
                    attempt.estimate(_conversation(self.asked), left=self._error_code in LEFT)
                attempt.cost = cost(attempt.usage, self.route.model.prices)
        if self.reservation is not None:
            self._pay(self.reservation)
        for number, attempt in enumerate(self.attempts, 1):
            self._recorder.append(self._attempt_span(number, attempt, end_ns, text))
        for span in self.spans:
            self._recorder.append(span)
        self._recorder.append(self._call_span(end_ns, text))

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """What the caller calls this call by; looked at after the call was read."""
        tags: tuple[str, ...] = self._names.get("tags", ())
        return tags

    @cached_property
    def _names(self) -> dict[str, Any]:
        """What the caller says of it; looked at after the call was read."""
        return _given_names(self.asked)

    def _pay(self, reservation: Reservation) -> None:
        """Settle what the call was promised, and remember what it took."""
        called = Called(
            caller=self.caller,
            organisation=self.organisation,
            at_ns=reservation.at_ns or self._start_ns,
            trace_id=self.trace_id,
            span_id=self.span_id,
            tags=self.tags,
            error=self._error_code,
        )
        entries = entries_of(called, self.route, self.attempts, self.spans)
        self._desk.till.settle(reservation, entries)
        if self.route is not None and entries and not self._error:
            self._desk.expectations.learn(self.caller.project, self.route, entries)

    def _call_span(self, end_ns: int, text: str) -> Span:
        asked, route = self.asked, self.route
        attributes: dict[str, Any] = {"snapshot": self.epoch, "key": self.caller.name}
        if asked is not None:
            attributes |= {"stream": asked.stream, "dialect": asked.dialect}
        if self.finish_reason:
            attributes["finish_reason"] = self.finish_reason
        if self._text_length > _LONGEST_TEXT:
            attributes["output_characters"] = self._text_length
        if self._error:
            attributes["error_code"] = self._error_code
        variant = release = None
        if isinstance(route, FunctionRoute):
            variant, release = route.variant, route.release
            attributes["release_hash"] = release.release_hash
        elif isinstance(route, ModelRoute):
            attributes |= {"model_version": route.model.version, "model_hash": route.model.hash}
        return Span(
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_id=self._parent_id,
            project=self.caller.project,
            name=f"chat {asked.model[:_LONGEST_NAME]}" if asked else "chat",
            kind="gateway",
            kind_otel="server",
            start_ns=self._start_ns,
            end_ns=end_ns,
            status="error" if self._error else "ok",
            error=self._error,
            service="flyball",
            key_id=self.caller.id,
            function=variant.function if variant else "",
            variant=variant.name if variant else "",
            variant_hash=variant.hash if variant else "",
            release=release.release_id if release else "",
            model_requested=asked.model[:_LONGEST_NAME] if asked else "",
            input=_input_text(asked, route),
            output=text,
            attributes=attributes,
            **self._names,
        )

    def _attempt_span(self, number: int, attempt: Attempt, end_ns: int, text: str) -> Span:
        assert isinstance(self.route, ModelRoute) and self.asked is not None  # noqa: S101, PT018 -- only such calls have attempts
        error = attempt.error or self._error
        messages = _conversation(self.asked)
        attributes: dict[str, Any] = {"attempt": number, "host": _host(attempt.endpoint.base_url)}
        if attempt.dialect != self.asked.dialect:
            attributes["dialect"] = attempt.dialect
        if dropped := attempt.dropped.dropped:
            attributes["dropped"] = shortened(dropped)
        if attempt.first_content_ns:
            attributes["first_content_ns"] = attempt.first_content_ns - attempt.start_ns
        if attempt.usage is not None and attempt.usage.estimated:
            attributes["usage_estimated"] = True
        return Span(
            trace_id=self.trace_id,
            span_id=attempt.span_id,
            parent_id=self.span_id,
            project=self.caller.project,
            name=f"complete {self.route.model.name}",
            kind="llm",
            kind_otel="client",
            start_ns=attempt.start_ns,
            end_ns=attempt.end_ns or end_ns,
            status="error" if error else "ok",
            error=error,
            service="flyball",
            key_id=self.caller.id,
            provider=attempt.endpoint.provider,
            model_requested=attempt.endpoint.model,
            model_response=attempt.answered_by[:_LONGEST_NAME],
            usage=attempt.usage or Usage(),
            usage_raw=attempt.usage_raw,
            cost_nano_usd=attempt.cost.nano_usd,
            price_version=attempt.cost.price_version,
            input=_decoded(messages),
            output="" if attempt.error else text,
            attributes=attributes,
        )


def _input_text(asked: Asked | None, route: Route | None) -> str:
    """What a person would call the question."""
    if asked is None:
        return ""
    if isinstance(route, FunctionRoute):
        field = route.function.text_field
        value = route.input.get(field) if field else None
        return value[:_LONGEST_TEXT] if isinstance(value, str) else _decoded(msgspec.json.encode(route.input))
    if len(_conversation(asked)) > _LONGEST_TEXT:
        return ""  # the attempt's span has as much of it as is kept
    return dialect(asked.dialect).last_user_text(asked) or ""


def _conversation(asked: Asked) -> bytes:
    return bytes(asked.fields.get(dialect(asked.dialect).input_field, b""))


def _given_names(asked: Asked | None) -> dict[str, Any]:
    """What the caller says of a call: `user`, and `session_id`, `user_id`, `trace_name`, `tags` of `flyball`."""
    if asked is None:
        return {}
    try:
        ours = extension(asked)
        user = dialect(asked.dialect).end_user(asked)
    except FlyballError:
        return {}
    names = {name: ours.get(name) for name in ("session_id", "user_id", "trace_name")}
    names["user_id"] = names["user_id"] or user
    given: dict[str, Any] = {name: value[:_LONGEST_NAME] for name, value in names.items() if isinstance(value, str)}
    tags = ours.get("tags")
    if isinstance(tags, list):
        given["tags"] = tuple(tag[:_LONGEST_NAME] for tag in tags[:20] if isinstance(tag, str))
    return given


def shortened(names: Sequence[str]) -> list[str]:
    """A list of names that has an end: the first of them, and how many more there are."""
    more = len(names) - _MOST_NAMES
    return [*names[:_MOST_NAMES], f"and {more} more"] if more > 0 else list(names)


def _decoded(data: bytes) -> str:
    return data[:_LONGEST_TEXT].decode("utf-8", "replace")


def _host(base_url: str) -> str:
    return base_url.partition("://")[2].partition("/")[0]
