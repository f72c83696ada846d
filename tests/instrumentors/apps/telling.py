"""What every application here shares: spans go out by OTLP as the environment says, and the scenes' words. Knows no instrumentor."""

import contextlib
import os
import time
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

UPSTREAM = os.environ["UPSTREAM"]  # the scripted upstream's root address
SYSTEM = "Answer in one sentence."
QUESTION = "What does a governor do?"
WEATHER_QUESTION = "How is the weather in Kraków?"
WEATHER = "11 degrees and rain"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

provider = TracerProvider(resource=Resource.create())
sending = [BatchSpanProcessor(OTLPSpanExporter())]  # a library that adds its own to this provider takes it out
logs = LoggerProvider(resource=provider.resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
trace.set_tracer_provider(provider)
before_closing: list[Callable[[], object]] = []  # what libraries that tell by themselves have to send first


def play(*scenes: Callable[[], object]) -> None:
    """Each scene under a span of its own, which tells which it was, unless ALONE says no; then everything is sent."""
    for processor in sending:
        provider.add_span_processor(processor)
    tracer = trace.get_tracer("application")
    for scene in scenes:
        with contextlib.nullcontext() if os.environ.get("ALONE") else tracer.start_as_current_span(scene.__name__):
            scene()
    time.sleep(float(os.environ.get("LINGER", "0")))  # some tell of a call in a thread of their own, a moment later
    for send in before_closing:
        send()
    provider.shutdown()
    logs.shutdown()
