"""OpenTelemetry in the same process: one tree, one sampling, one mask, one queue; and the packages that `instrument` finds."""

import asyncio
import itertools
import logging
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest
from opentelemetry import propagate
from opentelemetry import trace as otel
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

import flyball
from flyball.sdk import instrumenting, sampling
from flyball.sdk import otel as sdk_otel
from flyball.sdk import spans as sdk_spans
from flyball.sdk import telemetry as sdk_telemetry
from flyball.sdk.client import AsyncClient
from flyball.sdk.instrumenting import NotInstalledError


@pytest.fixture
def fresh(listener, monkeypatch):
    """A process in which nobody has set up OpenTelemetry yet."""
    monkeypatch.setattr(otel, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(otel, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(sdk_otel, "_provided", [])
    yield listener
    sdk_spans.join_with(None)


@pytest.fixture
def tracer(fresh):
    sdk_telemetry.reset(AsyncClient(fresh.url, "flyball_test"), service="shop", environment="test")
    return sdk_otel.provide().get_tracer("a-library", "1.0")


def told(listener) -> dict[str, SimpleNamespace]:
    """Every span by name, whichever way it came."""
    assert flyball.flush()
    found = {}
    for path, body, _ in listener.calls:
        if path == "/api/traces/spans":
            for span in body["spans"]:
                ids = (span["trace_id"], span["span_id"], span.get("parent_id", ""))
                found[span["name"]] = SimpleNamespace(ids=ids, remote=span.get("remote_parent", False), said=span)
        elif path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body["bytes"]).resource_spans:
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    found[span.name] = SimpleNamespace(ids=ids, said=span, resource=resource.resource)
    return found


def is_path(spans: dict[str, SimpleNamespace], *names: str) -> bool:
    pairs = itertools.pairwise(names)
    return all(
        spans[child].ids[0] == spans[parent].ids[0] and spans[child].ids[2] == spans[parent].ids[1]
        for parent, child in pairs
    )


def test_spans_of_both_are_one_tree(fresh, tracer) -> None:
    @flyball.observe(name="inner")
    def inner() -> None:
        with tracer.start_as_current_span("model call"):
            pass

    @flyball.observe(name="outer")
    def outer() -> None:
        with tracer.start_as_current_span("chain"):
            inner()
        with tracer.start_as_current_span("second"):
            pass

    outer()

    spans = told(fresh)
    assert spans["outer"].ids[2] == ""
    assert is_path(spans, "outer", "chain", "inner", "model call")
    assert is_path(spans, "outer", "second")
    assert not otel.get_current_span().get_span_context().is_valid
    assert flyball.current_trace_id() == ""


def test_what_another_tracer_began_goes_on_in_ours(fresh, tracer) -> None:
    with tracer.start_as_current_span("server") as server:
        with flyball.span("one") as one:
            one.set(session="s-1")
        with flyball.span("two"):
            headers = flyball.trace_headers()
        inside = flyball.trace_headers()["traceparent"].split("-")

    spans = told(fresh)
    assert is_path(spans, "server", "one")
    assert is_path(spans, "server", "two")
    assert spans["two"].said["session_id"] == "s-1"  # one trace, one session
    assert headers["traceparent"].split("-")[2] == spans["two"].ids[1]
    assert inside[2] == f"{server.get_span_context().span_id:016x}"


def test_a_trace_from_another_process_is_one_for_both(fresh, tracer) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with flyball.trace_context({"traceparent": parent}, session="s-1"):
        with tracer.start_as_current_span("theirs"):
            pass
        with flyball.span("ours"):
            pass
    token = otel.context_api.attach(propagate.extract({"traceparent": parent}))
    with flyball.span("extracted"):
        pass
    otel.context_api.detach(token)

    spans = told(fresh)
    assert {spans[name].ids[2] for name in ("theirs", "ours", "extracted")} == {"b7ad6b7169203331"}
    assert {spans[name].ids[0] for name in ("theirs", "ours", "extracted")} == {"0af7651916cd43dd8448eb211c80319c"}
    assert spans["ours"].remote
    assert spans["extracted"].remote
    assert {a.key: a.value.string_value for a in spans["theirs"].said.attributes} == {"session.id": "s-1"}


async def test_generators_and_tasks_keep_both_contexts_apart(fresh, tracer) -> None:
    @flyball.observe(name="stream")
    async def stream():
        for number in range(2):
            with tracer.start_as_current_span(f"item {number}"):
                await asyncio.sleep(0)
            yield number

    async def one(number: int) -> None:
        with tracer.start_as_current_span(f"task {number}"):
            async for _ in stream():
                assert otel.get_current_span().name == f"task {number}"

    await asyncio.gather(one(0), one(1))
    await asyncio.to_thread(flyball.flush)

    spans = told(fresh)
    assert is_path(spans, "task 1", "stream", "item 1") or is_path(spans, "task 0", "stream", "item 1")


def test_session_user_tags_service_and_environment_reach_their_spans(fresh, tracer) -> None:
    with flyball.trace_context(session="s-1", user="ada", tags=("beta",)), flyball.span("outer"):  # noqa: SIM117 -- the order matters
        with tracer.start_as_current_span("call"):
            pass

    call = told(fresh)["call"]
    said = {a.key: a.value for a in call.said.attributes}
    assert (said["session.id"].string_value, said["user.id"].string_value) == ("s-1", "ada")
    assert [value.string_value for value in said["tag.tags"].array_value.values] == ["beta"]
    resource = {a.key: a.value.string_value for a in call.resource.attributes}
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("shop", "test")


def test_both_are_sampled_alike(fresh) -> None:
    sdk_telemetry.reset(AsyncClient(fresh.url, "key"), sample=0.25)
    tracer = sdk_otel.provide().get_tracer("x")
    for number in range(400):
        with tracer.start_as_current_span(f"root {number}"), flyball.span(f"ours {number}"):
            pass
        with flyball.span(f"first {number}"), tracer.start_as_current_span(f"theirs {number}"):
            pass

    spans = told(fresh)
    assert 130 < len(spans) / 2 < 270  # 200, six standard deviations each way
    for name, span in spans.items():
        assert sampling.recorded(span.ids[0], sampling.threshold(0.25))
        other = {"root": "ours", "ours": "root", "first": "theirs", "theirs": "first"}[name.split()[0]]
        assert f"{other} {name.split()[1]}" in spans


def test_their_texts_are_masked_as_well(fresh) -> None:
    sdk_telemetry.reset(AsyncClient(fresh.url, "key"), mask=lambda text: text.replace("secret", "***"))
    tracer = sdk_otel.provide().get_tracer("x")
    with tracer.start_as_current_span("call") as span:
        span.set_attributes({"input.value": "a secret", "list": ["secret", "b"], "number": 1})
        span.add_event("told", {"what": "secret"})
        span.record_exception(ValueError("secret"))
        span.set_status(otel.StatusCode.ERROR, "secret")
    assert flyball.flush()

    (sent,) = [body["bytes"] for path, body, _ in fresh.calls if path == "/v1/traces"]
    assert b"secret" not in sent
    assert sent.count(b"***") >= 5


def test_they_wait_in_the_folder_too(fresh, tmp_path) -> None:
    sdk_telemetry.reset(None, server="http://127.0.0.1:9", key="key", offline=str(tmp_path))
    with sdk_otel.provide().get_tracer("x").start_as_current_span("call"):
        pass
    assert not flyball.flush(0.5)

    assert [path.suffix for path in tmp_path.rglob("*-*-*.*")] == [".otlp"]


def test_an_application_that_has_its_own_provider_keeps_it(fresh) -> None:
    own, elsewhere = TracerProvider(), InMemorySpanExporter()
    own.add_span_processor(SimpleSpanProcessor(elsewhere))
    otel.set_tracer_provider(own)

    assert sdk_otel.provide() is own
    assert sdk_otel.provide() is own
    with own.get_tracer("x").start_as_current_span("call"), flyball.span("ours"):
        pass

    assert [span.name for span in elsewhere.get_finished_spans()] == ["call"]
    assert is_path(told(fresh), "call", "ours")
    assert len([path for path, *_ in fresh.calls if path == "/v1/traces"]) == 1


class Instrumentor:
    """What OpenInference's packages look like from outside."""

    def __init__(self) -> None:
        self.is_instrumented_by_opentelemetry = False
        self.providers: list[object] = []

    def __call__(self) -> "Instrumentor":
        return self

    def instrument(self, *, tracer_provider: object) -> None:
        self.providers.append(tracer_provider)
        self.is_instrumented_by_opentelemetry = True


def installed(monkeypatch, **points: object) -> None:
    found = [SimpleNamespace(name=name, load=lambda point=point: point) for name, point in points.items()]
    monkeypatch.setattr(
        instrumenting, "entry_points", lambda group: found if group == "openinference_instrumentor" else []
    )


def test_instrument_hands_our_tracer_to_every_package_that_is_named(fresh, monkeypatch) -> None:
    packages = {"openai": Instrumentor(), "llama_index": Instrumentor(), "anthropic": Instrumentor()}
    installed(monkeypatch, **packages)

    assert flyball.instrument("llama-index", "OpenAI") == ["llama-index", "openai"]
    assert flyball.instrument() == ["anthropic", "llama-index", "openai"]

    assert [len(package.providers) for package in packages.values()] == [1, 1, 1]  # once, however often it is asked for
    assert packages["openai"].providers == [otel.get_tracer_provider()]


def test_a_package_that_is_missing_is_named_with_the_command(monkeypatch) -> None:
    installed(monkeypatch, openai=Instrumentor())

    with pytest.raises(NotInstalledError) as error:
        flyball.instrument("openai", "llama_index")

    assert "no instrumentor is installed for llama_index (installed: openai)" in str(error.value)
    assert "pip install 'flyball[instrument]' openinference-instrumentation-llama-index" in str(error.value)


def absent(name: str) -> None:
    raise ImportError(f"No module named {name!r}")


def test_without_opentelemetry_the_error_has_the_command(monkeypatch) -> None:
    installed(monkeypatch, openai=Instrumentor())
    monkeypatch.setattr(instrumenting, "import_module", absent)

    with pytest.raises(NotInstalledError, match=r"pip install 'flyball\[instrument\]'"):
        flyball.instrument("openai")


def test_an_instrumentor_that_fails_is_told_and_the_others_go_on(fresh, monkeypatch, caplog) -> None:
    def broken() -> None:
        raise RuntimeError("a version that it does not know")

    idle = Instrumentor()
    idle.instrument = lambda **_: None
    installed(monkeypatch, anthropic=broken, langchain=idle, openai=Instrumentor())

    with caplog.at_level(logging.WARNING, "flyball"):
        assert flyball.instrument() == ["openai"]

    told_of = [record.message for record in caplog.records]
    assert any("anthropic is not observed: its instrumentor fails" in message for message in told_of)
    assert any("langchain is not observed: its library is not installed" in message for message in told_of)


def test_a_call_that_two_instrumentors_would_tell_is_warned_of(fresh, monkeypatch, caplog) -> None:
    installed(monkeypatch, langchain=Instrumentor(), openai=Instrumentor())

    with caplog.at_level(logging.WARNING, "flyball"):
        flyball.instrument("langchain")
        assert caplog.records == []
        flyball.instrument()

    assert "langchain and openai are both observed" in caplog.text


def test_the_real_entry_points_are_read(monkeypatch) -> None:
    point = EntryPoint("openai", "collections:Counter", "openinference_instrumentor")
    monkeypatch.setattr(instrumenting, "entry_points", lambda **_: [point])

    with pytest.raises(NotInstalledError, match="installed: openai"):
        flyball.instrument("anthropic")


def test_a_join_that_fails_does_not_disturb_the_application(fresh, tracer, monkeypatch, caplog) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("theirs")

    @flyball.observe(name="work")
    def work() -> int:
        return 1

    with caplog.at_level(logging.WARNING, "flyball"):
        monkeypatch.setattr(sdk_otel, "SpanContext", broken)
        assert work() == 1
        monkeypatch.undo()
        monkeypatch.setattr(sdk_otel.Joined, "around", broken)
        assert work() == 1
        assert flyball.current_trace_id() == ""
        assert flyball.trace_headers() == {}
