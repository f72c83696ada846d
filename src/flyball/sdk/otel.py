"""OpenTelemetry in the same process: its spans and ours are one tree, sampled alike, masked alike, sent by the same queue.

Loaded by `instrument` alone, where the application has OpenTelemetry's SDK installed. Knows its context, its processors and its
protocol's messages; knows no instrumentor.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakValueDictionary

from opentelemetry import context as contexts
from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from . import propagation, sampling, spans
from .masking import Mask
from .propagation import Carried
from .spans import Around, Below, LocalTrace, RunningSpan, Surrounding
from .telemetry import telemetry
from .warning import warn_once

KIND = "otlp"
_TAGS = "tag.tags"  # OpenInference's name
_SLICE = 32  # spans that are encoded before the application's threads get their turn


def provide() -> TracerProvider:
    """The process's tracer provider, the application's own if it has one, whose spans flyball gets from here on."""
    provider = otel.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        options = telemetry().options
        said = {"service.name": options.service, "deployment.environment.name": options.environment}
        resource = Resource.create({name: value for name, value in said.items() if value})
        provider = TracerProvider(sampler=_AsOurs(), resource=resource)
        otel.set_tracer_provider(provider)
    if provider not in _provided:
        provider.add_span_processor(_ToFlyball())
        _provided.append(provider)
    telemetry().write_with(KIND, write)
    spans.join_with(_joined)
    return provider


_provided: list[TracerProvider] = []


class _OfOurs(NonRecordingSpan):
    """A span of ours, where OpenTelemetry looks for the one that is running."""


class Joined:
    """Both contexts say where a span begins, and move together."""

    def __init__(self) -> None:
        self._traces: WeakValueDictionary[str, LocalTrace] = WeakValueDictionary()

    def around(self, ours: Around) -> Around:
        """OpenTelemetry's span if that is the inner one, else ours."""
        current = otel.get_current_span()
        context = current.get_span_context()
        if isinstance(current, _OfOurs) or not context.is_valid:
            return ours
        carried = Carried(
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            recorded=context.trace_flags.sampled,
            tracestate=context.trace_state.to_header(),
        )
        if type(ours) is RunningSpan and ours.trace_id == carried.trace_id:
            return Below(ours.trace, carried.span_id)
        tags: tuple[str, ...] = ()
        if isinstance(ours, Surrounding):
            own = ours.carried
            carried = carried._replace(baggage=own.baggage, session=own.session, user=own.user)
            tags = ours.tags
        surrounding = Surrounding(carried, tags)
        if context.is_remote:
            return surrounding
        trace = self._traces.get(carried.trace_id)
        if trace is None:
            trace = self._traces[carried.trace_id] = LocalTrace(surrounding, telemetry().policy)
        return Below(trace, carried.span_id)

    def attach(self, carried: Carried) -> Any:
        """OpenTelemetry's spans are children of this place from here on."""
        try:
            flags = TraceFlags(TraceFlags.SAMPLED if carried.recorded else TraceFlags.DEFAULT)
            state = TraceState.from_header([carried.tracestate]) if carried.tracestate else None
            context = SpanContext(
                int(carried.trace_id, 16),
                int(carried.span_id, 16),
                is_remote=False,
                trace_flags=flags,
                trace_state=state,
            )
            return contexts.attach(otel.set_span_in_context(_OfOurs(context)))
        except Exception as error:  # noqa: BLE001 -- the application's own work goes on, whatever is wrong with ours
            warn_once(f"OpenTelemetry's spans are not joined ({error!r:.200})")
            return None

    def detach(self, token: Any) -> None:
        """As before."""
        if token is not None:
            contexts.detach(token)


_joined = Joined()


class _AsOurs(Sampler):
    """A trace that begins with a span of OpenTelemetry's is chosen as one of ours is; what is below follows."""

    def should_sample(  # noqa: PLR0917 -- the base class has it so
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        """Whether it is recorded, and how that is told."""
        del name, kind, links
        parent = otel.get_current_span(parent_context).get_span_context()
        policy = telemetry().policy
        if parent.is_valid:
            chosen, trace_state = parent.trace_flags.sampled, parent.trace_state
        else:
            chosen = sampling.recorded(f"{trace_id:032x}", policy.least)
            trace_state = TraceState.from_header([policy.tracestate]) if policy.tracestate else trace_state
        return SamplingResult(Decision.RECORD_AND_SAMPLE if chosen else Decision.DROP, attributes, trace_state)

    def get_description(self) -> str:
        """What it is called."""
        return "flyball"


class _ToFlyball(SpanProcessor):
    """Gives each span its session and user at its beginning, and puts it on the queue at its end."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """The trace's session, user and tags, as OpenInference calls them."""
        del parent_context
        session, user, tags = spans.shared_here()
        for name, value in ((propagation.SESSION, session), (propagation.USER, user), (_TAGS, tags)):
            if value and name not in (span.attributes or {}):
                span.set_attribute(name, value)

    def on_end(self, span: ReadableSpan) -> None:
        """It has ended."""
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            texts = sum(len(value) for value in (span.attributes or {}).values() if isinstance(value, str))
            telemetry().take_foreign(KIND, span, texts)

    def shutdown(self) -> None:
        """The queue outlives the provider, and is emptied at the end of the process."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything is sent."""
        return telemetry().flush(timeout_millis / 1000)


def write(records: Sequence[ReadableSpan], mask: Mask) -> Iterator[tuple[int, bytes]]:
    """The protocol's messages for these spans; several of them one after another are one as well."""
    for start in range(0, len(records), _SLICE):
        some = records[start : start + _SLICE]
        try:
            yield len(some), _encoded(some, mask)
        except Exception:  # noqa: BLE001 -- one span that cannot be encoded takes no other with it
            yield from _one_by_one(some, mask)


def _one_by_one(records: Sequence[ReadableSpan], mask: Mask) -> Iterator[tuple[int, bytes]]:
    for record in records:
        try:
            yield 1, _encoded([record], mask)
        except Exception as error:  # noqa: BLE001 -- as above
            warn_once(f"a span of OpenTelemetry's is left out ({error!r:.200})")


def _encoded(records: Sequence[ReadableSpan], mask: Mask) -> bytes:
    message = encode_spans(records)
    if mask.function is not None:
        for resource in message.resource_spans:
            _mask_attributes(resource.resource.attributes, mask)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    _mask_span(span, mask)
    encoded: bytes = message.SerializeToString()
    return encoded


def _mask_span(span: Any, mask: Mask) -> None:
    _mask_attributes(span.attributes, mask)
    if span.status.message:
        span.status.message = mask.text(span.status.message)
    for part in (*span.events, *span.links):
        _mask_attributes(part.attributes, mask)


def _mask_attributes(attributes: Any, mask: Mask) -> None:
    for attribute in attributes:
        _mask_value(attribute.value, mask)


def _mask_value(value: Any, mask: Mask) -> None:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        value.string_value = mask.text(value.string_value)
    elif kind == "array_value":
        for item in value.array_value.values:
            _mask_value(item, mask)
    elif kind == "kvlist_value":
        _mask_attributes(value.kvlist_value.values, mask)
