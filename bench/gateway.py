"""How much a gateway worker carries, against nginx as the limit, on the same core, over the same instant upstream.

python bench/gateway.py [--seconds 8] [--out bench/results/gateway.json]
"""

import argparse
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any

import places
import psutil
from load import measure

MESSAGES = [{"role": "user", "content": "What does a governor do? " * 8}]
CASES = {
    "unary, 32 connections": ({"model": "mock-small", "messages": MESSAGES}, 32),
    "unary, 1 connection": ({"model": "mock-small", "messages": MESSAGES}, 1),
    "streamed, 32 connections": ({"model": "mock-small", "messages": MESSAGES, "stream": True}, 32),
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "gateway.json")
    options = parser.parse_args()
    os.sched_setaffinity(0, {places.OTHERS})
    rows: dict[str, dict[str, Any]] = {}
    with places.upstream() as upstream:
        if shutil.which("nginx") or Path("/usr/sbin/nginx").exists():
            with places.nginx(upstream) as (port, pid):
                rows["nginx"] = _cases(port, "none", options.seconds, pid)
        with places.gateway(upstream) as (port, key, pid):
            idle = psutil.Process(pid).memory_info().rss
            rows["flyball"] = _cases(port, key, options.seconds, pid)
            memory = {"idle_mb": idle / 1e6, "after_mb": psutil.Process(pid).memory_info().rss / 1e6}
    _print(rows, memory)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"machine": _machine(), "memory": memory, "rows": rows}, indent=1) + "\n")


def _cases(port: int, key: str, seconds: int, pid: int) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    found = {}
    for name, (body, connections) in CASES.items():
        text = json.dumps(body)
        measure(url, text, key=key, connections=connections, seconds=1, core=places.OTHERS)  # warm
        before = _cpu_seconds(pid)
        row = measure(url, text, key=key, connections=connections, seconds=seconds, core=places.OTHERS)
        # What a call costs in processor time says the same on a machine that has other things to do.
        found[name] = {**row, "cpu_us": (_cpu_seconds(pid) - before) / (row["rps"] * seconds) * 1e6}
    return found


def _cpu_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def _print(rows: dict[str, dict[str, Any]], memory: dict[str, float]) -> None:
    print(f"{'':26}{'':10}{'req/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'cpu us':>8}{'failed':>8}{'of nginx':>10}")
    for case in CASES:
        limit = rows.get("nginx", {}).get(case, {}).get("rps")
        for who, cases in rows.items():
            row = cases[case]
            ratio = f"{row['rps'] / limit:9.1%}" if limit else "        -"
            print(
                f"{case:26}{who:10}{row['rps']:10,.0f}{row['p50_ms']:10.2f}{row['p99_ms']:10.2f}{row['cpu_us']:8.0f}{row['failed']:8}{ratio:>10} {row['broken']}"
            )
    print(f"gateway worker: {memory['idle_mb']:.0f} MB idle, {memory['after_mb']:.0f} MB after the load")


def _machine() -> dict[str, Any]:
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
    }


if __name__ == "__main__":
    main()
