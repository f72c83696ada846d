"""An ended span as flyball takes it: one JSON object, made in the background, its texts masked.

Knows the record's fields. Knows neither queues nor addresses.
"""

from typing import Any

import msgspec

from flyball.llm.usage import Usage

from . import sampling
from .masking import Mask
from .saying import Said
from .spans import RunningSpan
from .texts import told

_LONGEST_NAME = 1_000


class SentSpan(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The fields that an application may say; see `flyball.traces.records.Span`."""

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int
    kind: str
    status: str
    parent_id: str = ""
    remote_parent: bool = False
    error: str = ""
    service: str = ""
    environment: str = ""
    session_id: str = ""
    user_id: str = ""
    tags: tuple[str, ...] = ()
    provider: str = ""
    model_requested: str = ""
    model_response: str = ""
    usage: Usage | None = None
    usage_raw: Any = None
    cost_nano_usd: int | None = None
    first_token_ns: int | None = None
    prompt_name: str = ""
    prompt_version: str = ""
    input: str = ""
    output: str = ""
    attributes: dict[str, Any] = {}


class Writer:
    """Makes JSON of spans."""

    def __init__(self, mask: Mask, service: str, environment: str) -> None:
        self._mask = mask
        self._text = mask.text
        self._service, self._environment = service[:_LONGEST_NAME], environment[:_LONGEST_NAME]
        self._encode = msgspec.json.Encoder().encode

    def span(self, span: RunningSpan) -> bytes:
        """The JSON of one span."""
        said = span.said
        error = said.fields.pop("error", "") or span.error if said else span.error
        session, user, tags = span.shared
        sent = SentSpan(
            trace_id=span.trace_id,
            span_id=span.span_id,
            parent_id=span.parent_id,
            remote_parent=span.remote_parent,
            name=told(span.name)[:_LONGEST_NAME],
            kind=told(span.kind)[:_LONGEST_NAME],
            start_ns=span.start_ns,
            end_ns=span.end_ns,
            status="error" if error else "ok",
            error=self._text(told(error)),
            input=self._text(told(span.input)),
            output=self._text(told(span.output)),
            service=self._service,
            environment=self._environment,
            session_id=session,
            user_id=user,
            tags=tags,
        )
        if said is not None:
            self._add(sent, said)
        trace = span.trace
        if trace.tracestate or not trace.recorded:
            sent.attributes |= sampling.told_of(trace.tracestate, recorded=trace.recorded)
        return self._encode(sent)

    def _add(self, sent: SentSpan, said: Said) -> None:
        for name, value in said.fields.items():
            kept = self._text(told(value)) if name in {"input", "output"} else value
            setattr(sent, name, self._mask.value(kept) if name == "usage_raw" else kept)
        attributes = self._mask.value(said.attributes) if said.attributes else {}
        if said.events:
            attributes["flyball.events"] = [
                event | {"attributes": self._mask.value(event["attributes"])} for event in said.events
            ]
        if said.links:
            attributes["flyball.links"] = [
                link | {"attributes": self._mask.value(link["attributes"])} for link in said.links
            ]
        sent.attributes = attributes
