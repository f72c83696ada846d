"""What `@flyball.observe` costs the application: microseconds of the caller's own thread, and of the whole process, for each span.

python bench/sdk.py [--out bench/results/sdk.json]

Against a listener in a process of its own that takes what is sent, so that writing and sending run beside the caller as they do
in an application. Spans come in bursts of 2,000 with a flush between them: a loop without pause would fill the queue, and what
is dropped costs nothing. What the bare function costs is taken off. OpenTelemetry's SDK does the same beside it (a span with two
attributes, a batch processor, JSON of its spans thrown away) where it is installed.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flyball
from flyball.sdk.client import AsyncClient
from flyball.sdk.spans import join_with
from flyball.sdk.telemetry import reset, telemetry

GOAL_US = 15.0
BURST = 2_000
ROUNDS = 9
QUESTION = "x" * 500
PASSAGES = [{"id": number, "text": "a passage of the handbook " * 4, "score": 0.5} for number in range(5)]
LISTENER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("content-length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def plain(question: str) -> str:
    return question


def short(number: int) -> int:
    return number


def passages(question: str) -> list[dict[str, Any]]:
    return PASSAGES if question else []


def spoken(question: str) -> str:
    flyball.current_span().set(model="small", provider="openai", usage={"input_tokens": 100, "output_tokens": 20})
    return question


async def coroutine(question: str) -> str:
    return question


def generator(question: str) -> Any:
    yield from ("a", "b", question)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "sdk.json")
    out = parser.parse_args().out
    rows: dict[str, dict[str, float]] = {}
    process = subprocess.Popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{process.stdout.readline().strip()}"  # type: ignore[union-attr] # a pipe
        for name, calls, options, spans in cases():
            reset(AsyncClient(address, "bench"), **options)
            rows[name] = measured(calls, spans)
            if telemetry().dropped:
                raise SystemExit(f"{name}: {telemetry().dropped} spans were dropped, the figures are worth nothing")
            flyball.flush()
        if importlib.util.find_spec("opentelemetry.sdk") is not None:
            rows["OpenTelemetry's SDK, two texts"] = measured(peer_calls(), 1, peer_flush)
            reset(AsyncClient(address, "bench"))
            importlib.import_module("flyball.sdk.otel").provide()
            rows["joined with OpenTelemetry"] = measured((plain_calls, observed_calls), 1)
            flyball.flush()
            join_with(None)
        reset()
        rows["not configured"] = measured((plain_calls, observed_calls), 1)
    finally:
        process.terminate()
        process.wait()
    print(f"{'':36}{'caller us':>10}{'process us':>12}")
    for name, row in rows.items():
        print(f"{name:36}{row['caller_us']:10.1f}{row['process_us']:12.1f}")
    worst = max(row["caller_us"] for name, row in rows.items() if not name.startswith("OpenTelemetry"))
    print(f"worst: {worst:.1f} us of the caller's thread a span (goal {GOAL_US:g})")
    machine = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"machine": machine, "goal_us": GOAL_US, "rows": rows}, indent=1) + "\n")


Calls = tuple[Callable[[], None], Callable[[], None]]


def cases() -> list[tuple[str, Calls, dict[str, Any], int]]:
    """Name, the bare and the observed burst, the options, and how many spans one call makes."""
    observed_short, observed_passages = flyball.observe(short), flyball.observe(passages)

    def calling(number: int) -> int:
        return observed_short(number)

    outer, inner = flyball.observe(calling), short
    one, some, other = flyball.observe(generator), flyball.observe(coroutine), flyball.observe(spoken)

    async def coroutines(function: Callable[[str], Any]) -> None:
        for _ in range(BURST):
            await function(QUESTION)

    return [
        ("a number", (repeat(short, 1), repeat(observed_short, 1)), {}, 1),
        ("texts of 500 characters", (plain_calls, observed_calls), {}, 1),
        ("nested, each span", (repeat(inner, 1), repeat(outer, 1)), {}, 2),
        ("a result of 1 kB of JSON", (repeat(passages, QUESTION), repeat(observed_passages, QUESTION)), {}, 1),
        ("model and usage set", (repeat(plain, QUESTION), repeat(other, QUESTION)), {}, 1),
        ("coroutine", (lambda: asyncio.run(coroutines(coroutine)), lambda: asyncio.run(coroutines(some))), {}, 1),
        ("generator of three", (consume(generator), consume(one)), {}, 1),
        ("masked", (plain_calls, observed_calls), {"mask": str.upper}, 1),
        ("one trace in ten", (plain_calls, observed_calls), {"sample": 0.1}, 1),
        ("no trace", (plain_calls, observed_calls), {"sample": 0.0}, 1),
    ]


def repeat(function: Callable[..., Any], argument: Any) -> Callable[[], None]:
    def run() -> None:
        for _ in range(BURST):
            function(argument)

    return run


def consume(function: Callable[..., Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(BURST):
            for _item in function(QUESTION):
                pass

    return run


plain_calls = repeat(plain, QUESTION)
observed_calls = repeat(flyball.observe(plain), QUESTION)


def measured(calls: Calls, spans: int, flush: Callable[[], Any] = flyball.flush) -> dict[str, float]:
    """Medians over the rounds, what the bare function costs taken off."""
    bare, observed = calls
    callers, processes = [], []
    for _ in range(ROUNDS):
        began = time.thread_time()
        bare()
        without = time.thread_time() - began
        process, began = time.process_time(), time.thread_time()
        observed()
        callers.append((time.thread_time() - began - without) / BURST / spans)
        flush()
        processes.append((time.process_time() - process - without) / BURST / spans)
    return {"caller_us": statistics.median(callers) * 1e6, "process_us": statistics.median(processes) * 1e6}


peer_flush: Callable[[], Any] = flyball.flush


def peer_calls() -> Calls:
    """The same function under OpenTelemetry's own SDK."""
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider  # noqa: PLC0415 -- where it is installed
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: PLC0415

    class Thrown(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            for span in spans:
                ReadableSpan.to_json(span, indent=None)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Thrown(), max_queue_size=10_000))
    tracer = provider.get_tracer("bench")
    global peer_flush  # noqa: PLW0603 -- known when the provider is
    peer_flush = provider.force_flush

    def traced(question: str) -> str:
        with tracer.start_as_current_span("plain") as span:
            span.set_attribute("input.value", question)
            span.set_attribute("output.value", question)
            return question

    return plain_calls, repeat(traced, QUESTION)


if __name__ == "__main__":
    main()
