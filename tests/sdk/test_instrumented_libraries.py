"""Real libraries under OpenInference's real packages, in an environment of its own: with the application's functions, one tree.

The environment is the one whose Python FLYBALL_TEST_INSTRUMENTED names, else `.venv-instrumented`:

    python -m venv .venv-instrumented
    .venv-instrumented/bin/pip install -r tests/sdk/instrumented/requirements.txt

Where it is absent the test is skipped.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flyball.traces.normalising import normalise
from flyball.traces.otlp.decoding import told_spans

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "instrumented"
PYTHON = Path(os.environ.get("FLYBALL_TEST_INSTRUMENTED", ROOT / ".venv-instrumented" / "bin" / "python"))


@pytest.fixture
def upstream():
    process = subprocess.Popen(
        [sys.executable, "-m", "flyball.testing", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1].removesuffix("/v1")
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.mark.long
@pytest.mark.skipif(not PYTHON.exists(), reason=f"no environment at {PYTHON}: see this file")
def test_what_libraries_do_is_part_of_the_trace_that_the_application_observes(listener, upstream) -> None:
    environment = os.environ | {
        "FLYBALL_SERVER": listener.url,
        "FLYBALL_KEY": "flyball_test",
        "UPSTREAM": upstream,
        "PYTHONPATH": str(ROOT / "src"),
    }
    done = subprocess.run(
        [PYTHON, HERE / "program.py"], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["['openai', 'anthropic', 'langchain']", "True"]

    bodies = [body["bytes"] for path, body, _ in listener.calls if path == "/v1/traces"]
    assert all(ExportTraceServiceRequest.FromString(body).resource_spans for body in bodies)
    theirs = [normalise(told) for body in bodies for told in told_spans(body)]
    ours = {span["name"]: span for span in listener.spans}
    parents = {span.span_id: span.parent_id for span in theirs}
    parents |= {span["span_id"]: span.get("parent_id", "") for span in listener.spans}

    def below(span_id: str, name: str) -> bool:
        while span_id and span_id != ours[name]["span_id"]:
            span_id = parents[span_id]
        return bool(span_id)

    models = {span.model_requested or span.model_response: span for span in theirs if span.kind == "llm"}
    assert (
        {span.trace_id for span in theirs}
        == {span["trace_id"] for span in listener.spans}
        == {ours["answer"]["trace_id"]}
    )
    for model, around in {
        "mock-openai": "ask openai",
        "mock-anthropic": "ask anthropic",
        "mock-langchain": "ask langchain",
    }.items():
        assert below(models[model].span_id, around), model
        assert below(ours[around]["span_id"], "answer")
        assert models[model].usage.total_tokens > 0
        assert models[model].session_id == "session-1"
        assert "governor" in models[model].input
        assert models[model].output
    # LangChain's instrumentor tells nobody which of its spans is running.
    assert ours["inside the chain"]["parent_id"] == ours["ask langchain"]["span_id"]
