"""Thirteen real instrumentors, in an environment of their own, tell a flyball that runs of the same four calls: the same records.

The environment is made once, from the package index; where that is out of reach the tests are skipped and say so.
"""

import hashlib
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from expected import differing, expected, of_one_call, record_of

from flyball.llm.usage import Usage
from flyball.testing import Call, Turn
from flyball.traces.records import Span

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

HERE = Path(__file__).parents[1] / "instrumentors"
ENVIRONMENT = Path(__file__).parents[2] / ".venv-instrumentors"
NAMES = (
    "openinference-openai", "openinference-anthropic", "openinference-langchain", "openinference-llama-index",
    "openinference-litellm", "openinference-google", "openllmetry-openai", "openllmetry-anthropic",
    "openllmetry-langchain", "openllmetry-llama-index", "openllmetry-google", "opentelemetry-openai", "pydantic-ai",
)  # fmt: skip
TOLD = {"prompt_tokens": 31, "cached_tokens": 12, "completion_tokens": 17, "reasoning_tokens": 5}
TURNS = (
    Turn(**TOLD), Turn(**TOLD),
    Turn(text="", tool_calls=(Call(name="get_weather", arguments='{"city": "Kraków"}', id="call_1"),), **TOLD),
    Turn(text="It rains at 11 degrees.", **TOLD),
)  # fmt: skip
_COLUMNS = (
    "trace_id, span_id, parent_id, name, start_ns, end_ns, kind, status, provider, model_requested, model_response, "
    "finish_reason, usage_raw, input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, usage_estimated"
)


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter of the environment, which is made where it is not there yet."""
    wanted = HERE / "requirements.txt"
    stamp, digest = ENVIRONMENT / ".installed", hashlib.sha256(wanted.read_bytes()).hexdigest()
    python = ENVIRONMENT / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"the instrumentors cannot be installed: {made.stderr[-300:]}")
        stamp.write_text(digest)
    return python


@pytest.fixture
def upstream():
    """The scripted upstream in a thread of its own."""
    import asyncio

    from flyball.testing import ScriptedUpstream

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    upstream = ScriptedUpstream()
    asyncio.run_coroutine_threadsafe(upstream.start(), loop).result(10)
    yield upstream
    asyncio.run_coroutine_threadsafe(upstream.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_real_instrumentors_end_as_the_same_records(begin, python, upstream):
    flyball = begin()
    flyball.start()
    key = flyball.ask("keys", "create", "instrumentors", "--role", "maintainer")["key"]
    wrong = {}
    for name in NAMES:
        upstream.forget()
        upstream.then(*TURNS)
        _play(name, python, upstream, flyball, key)
        calls = flyball.until(lambda name=name: _calls(flyball, name), f"{name}: the calls do not arrive")
        found = [record_of(span) for span in of_one_call(_whole(flyball, key, span) for span in calls)]
        tokens = sum(span.usage.total_tokens for span in calls)
        differences = [differing(*pair) for pair in zip(found, expected(name), strict=False)]
        if len(found) != 4 or any(differences) or tokens != 4 * 48:
            wrong[name] = (len(found), tokens, differences)
    flyball.stop()

    assert wrong == {}


def _play(name: str, python: Path, upstream: Any, flyball: Any, key: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "UPSTREAM": upstream.root_url,
        "APPLICATION": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": flyball.address,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{key}",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY" if name == "opentelemetry-openai" else "true",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
        "TRACELOOP_TRACE_CONTENT": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    command = [python, HERE / "apps" / "run.py", name]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, f"{name}: {ended.stderr[-2000:]}"
    assert "Failed to export" not in ended.stderr, f"{name}: {ended.stderr[-2000:]}"


def _calls(flyball: Any, name: str) -> list[Span]:
    """The spans of calls, once the last scene has arrived."""
    rows = flyball.sql(f"select {_COLUMNS} from spans where service = '{name}'")
    if not any(row["name"] == "tool" for row in rows):
        return []
    return [_span(row) for row in rows if row["kind"] == "llm"]


def _span(row: dict[str, Any]) -> Span:
    tokens = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    usage = Usage(**{field: row.pop(field) for field in tokens}, estimated=row.pop("usage_estimated"))
    raw = row.pop("usage_raw")
    return Span(**row, usage=usage, usage_raw=msgspec.json.decode(raw) if raw else None)


def _whole(flyball: Any, key: str, span: Span) -> Span:
    """With its texts, which are read one by one."""
    texts = {}
    for side in ("input", "output"):
        address = f"{flyball.address}/api/traces/{span.trace_id}/spans/{span.span_id}/{side}"
        request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})  # noqa: S310 -- loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- loopback
            texts[side] = msgspec.json.decode(answer.read())["text"]
    return msgspec.structs.replace(span, **texts)
