"""The exporters of opentelemetry-sdk, unmodified, over sockets: what they send is what is kept."""

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from otlp_doors import grpc_door, http_door
from otlp_requests import kept, make_key

__all__ = ["grpc_door", "http_door"]

RESOURCE = Resource({"service.name": "shop", "ports": [80, 443]}, schema_url="https://example.org/1")


@pytest.fixture
async def key(admin):
    return await make_key(admin)


def send_spans(exporter) -> list[str]:
    """A trace of two spans with an event, a link and an error; their ids."""
    provider = TracerProvider(resource=RESOURCE)
    results = []
    export = exporter.export
    exporter.export = lambda spans: results.append(export(spans)) or results[-1]
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests", "1.2", schema_url="https://example.org/2", attributes={"of": "scope"})
    with tracer.start_as_current_span("parent", kind=trace.SpanKind.SERVER) as parent:
        parent.set_attributes({"text": "ß", "many": [1, 2], "half": 0.5, "yes": True})
        link = trace.Link(parent.get_span_context(), {"why": "retry"})
        with tracer.start_as_current_span("child", links=[link]) as child:
            child.add_event("said", {"count": 3})
            child.set_status(trace.StatusCode.ERROR, "no luck")
    provider.shutdown()
    assert results == [SpanExportResult.SUCCESS] * 2
    return [f"{span.get_span_context().span_id:016x}" for span in (child, parent)]


def check_spans(spans, ids) -> None:
    child, parent = spans

    assert [span.span_id for span in spans] == ids
    assert (parent.name, parent.kind, parent.parent_id) == ("parent", 2, "")
    assert parent.attributes == {"text": "ß", "many": [1, 2], "half": 0.5, "yes": True}
    assert (child.parent_id, child.trace_id) == (parent.span_id, parent.trace_id)
    assert [(event.name, event.attributes) for event in child.events] == [("said", {"count": 3})]
    assert [(link.span_id, link.attributes) for link in child.links] == [(parent.span_id, {"why": "retry"})]
    assert (child.status_code, child.status_message) == (2, "no luck")
    assert child.resource.attributes == {"service.name": "shop", "ports": [80, 443]}
    assert child.resource.schema_url == "https://example.org/1"
    assert (child.scope.name, child.scope.version, child.scope.attributes) == ("tests", "1.2", {"of": "scope"})


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
async def test_the_exporter_over_http_is_understood(http_door, key, ctx, compression):
    exporter = HttpSpanExporter(
        endpoint=f"{http_door}/v1/traces", headers={"authorization": f"Bearer {key}"}, compression=compression
    )

    ids = await asyncio.to_thread(send_spans, exporter)

    check_spans(await kept(ctx), ids)


async def test_the_exporter_over_grpc_is_understood(grpc_door, key, ctx):
    exporter = GrpcSpanExporter(
        endpoint=f"http://127.0.0.1:{grpc_door}", headers={"authorization": f"Bearer {key}"}, insecure=True
    )

    ids = await asyncio.to_thread(send_spans, exporter)

    check_spans(await kept(ctx), ids)


async def test_the_exporter_of_logs_is_understood(http_door, key, ctx):
    def send() -> None:
        provider = LoggerProvider(resource=RESOURCE)
        exporter = OTLPLogExporter(endpoint=f"{http_door}/v1/logs", headers={"x-api-key": key})
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        provider.get_logger("tests").emit(body={"role": "user", "parts": [1]}, event_name="gen_ai.user.message")
        provider.shutdown()

    await asyncio.to_thread(send)

    (record,) = await kept(ctx, "logs")
    assert (record.event_name, record.body) == ("gen_ai.user.message", {"role": "user", "parts": [1]})


async def test_the_exporter_of_metrics_is_understood(http_door, key, ctx):
    def send() -> None:
        exporter = OTLPMetricExporter(endpoint=f"{http_door}/v1/metrics", headers={"x-api-key": key})
        provider = MeterProvider(resource=RESOURCE, metric_readers=[PeriodicExportingMetricReader(exporter)])
        meter = provider.get_meter("tests")
        meter.create_counter("tokens").add(7, {"kind": "in"})
        meter.create_histogram("seconds", unit="s").record(0.25)
        provider.shutdown()

    await asyncio.to_thread(send)

    points = {point.name: point for point in await kept(ctx, "metrics")}
    assert (points["tokens"].kind, points["tokens"].value, points["tokens"].attributes) == ("sum", 7, {"kind": "in"})
    assert (points["seconds"].unit, points["seconds"].value, points["seconds"].detail["count"]) == ("s", 0.25, 1)
