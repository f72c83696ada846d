"""What OTLP ingest takes of the gateway's throughput: one `flyball up`, gateway calls as fast as they are answered, spans beside them.

python bench/otlp_beside.py [--seconds 6] [--turns 5] [--rates 1000,2500,5000,10000] [--out bench/results/otlp_beside.json]

Everything shares the machine: both loads, the upstream, PostgreSQL and every process of flyball. Rates of spans take turns with no
spans at all, and each turn is held against the one without in the same round.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import places
from load import measure
from otlp import FLYBALL, Server, running
from otlp_load import Load, corpus, send

LIMIT = 0.90  # of the throughput without
SPANS, BYTES = 512, 1_000  # of a request, which is what an exporter sends at once unless told otherwise; of a span
BODY = json.dumps({"model": "mock-small", "messages": [{"role": "user", "content": "What does a governor do? " * 8}]})


def main() -> None:
    """Measure, print ratios, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rates", default="1000,2500,5000,10000")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "otlp_beside.json")
    options = parser.parse_args()
    rates = [0, *(int(rate) for rate in options.rates.split(","))]
    with places.upstream() as upstream, running() as server:
        _declare(server, upstream)
        rounds = [_round(server, rates, options.seconds) for _ in range(options.turns + 1)][1:]  # the first warms
    rows = {str(rate): _summed(rate, rounds) for rate in rates}
    print(f"{'spans/s':>8}{'acked/s':>10}{'p99 ms':>9}{'calls/s':>10}{'p99 ms':>9}{'of without':>12}{'limit':>8}")
    for rate, row in rows.items():
        print(
            f"{rate:>8}{row['spans/s']:10,}{row['spans p99 ms']:9.0f}{row['rps']:10,.0f}{row['p99_ms']:9.0f}{row['ratio']:12.1%}{LIMIT:8.0%}"
        )
    machine = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    options.out.write_text(json.dumps({"machine": machine, "limit": LIMIT, "rows": rows}, indent=1) + "\n")


def _declare(server: Server, upstream: int) -> None:
    model = (
        f"models:\n  mock-small:\n    endpoints:\n"
        f"      - {{provider: openai-compatible, base_url: 'http://127.0.0.1:{upstream}/v1', model: mock-small}}\n"
        f"    prices: {{input: 0.15, output: 0.60}}\n"
    )
    file = server.folder.with_suffix(".yaml")
    file.write_text(model)
    try:
        command = [*FLYBALL, "apply", str(file), "--data", str(server.folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    finally:
        file.unlink()


def _round(server: Server, rates: list[int], seconds: int) -> dict[int, dict[str, Any]]:
    return {rate: _turn(server, rate, seconds) for rate in rates}


def _turn(server: Server, rate: int, seconds: int) -> dict[str, Any]:
    spans = multiprocessing.SimpleQueue()
    beside = multiprocessing.Process(target=_ingest, args=(server.address, server.key, rate, seconds + 2, spans))
    if rate:
        beside.start()
        time.sleep(1.5)  # until what is sent is being stored
    url = f"{server.address}/v1/chat/completions"
    row = measure(url, BODY, key=server.key, connections=32, seconds=seconds, core=places.OTHERS)
    if row["failed"]:
        raise SystemExit(f"{row['failed']} calls failed")
    sent = spans.get() if rate else {"spans/s": 0, "p99 ms": 0}
    if rate:
        beside.join()
    server.drain()
    return row | {"spans/s": sent["spans/s"], "spans p99 ms": sent["p99 ms"]}


def _ingest(address: str, key: str, rate: int, seconds: float, answer: Any) -> None:
    answer.put(asyncio.run(send(address, key, Load(SPANS, BYTES, 4, seconds, rate), corpus(8 << 20))))


def _summed(rate: int, rounds: list[dict[int, dict[str, Any]]]) -> dict[str, Any]:
    rows = [turns[rate] for turns in rounds]
    row = {name: statistics.median(row[name] for row in rows) for name in ("rps", "p50_ms", "p99_ms", "spans p99 ms")}
    return row | {
        "spans/s": round(statistics.median(row["spans/s"] for row in rows)),
        "ratio": statistics.median(turns[rate]["rps"] / turns[0]["rps"] for turns in rounds),
    }


if __name__ == "__main__":
    main()
