"""How much of a gateway worker's throughput budgets, limits and the ledger cost, against the same worker without: at most 10 %.

python bench/gateway_quotas.py [--seconds 1] [--turns 40] [--out bench/results/gateway_quotas.json]

Four workers stand on one core over the same upstream, and are loaded in turns: one that keeps no ledger (`without_ledger.py`), one
that settles every call and has no quota, one whose every call falls under one (money), one whose every call falls under four (money,
requests, tokens, parallel calls). Their couriers, which deliver what they record, are on the other core; `courier us` is what those take.
"""

import argparse
import contextlib
import json
import os
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import places
import psutil
from load import measure

from gateway import CASES, _machine

LIMIT = 0.10
WORKERS = {"without": (False, 0), "ledger": (True, 0), "one quota": (True, 1), "four quotas": (True, 4)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "gateway_quotas.json")
    options = parser.parse_args()
    os.sched_setaffinity(0, {places.OTHERS})
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(places.upstream())
        workers = {
            name: stack.enter_context(places.gateway(upstream, ledger=ledger, quotas=quotas))
            for name, (ledger, quotas) in WORKERS.items()
        }
        machine = _machine()
        cases = {case: _case(case, workers, options.seconds, options.turns) for case in CASES}
    print(f"{'':26}{'':14}{'req/s':>10}{'cpu us':>9}{'best':>7}{'courier us':>12}{'less':>8}{'of limit':>10}")
    for case, rows in cases.items():
        for name, row in rows.items():
            print(
                f"{case:26}{name:14}{row['rps']:10,.0f}{row['cpu_us']:9.0f}{row['best_cpu_us']:7.0f}{row['courier_us']:12.0f}{row['less']:8.1%}{row['less'] / LIMIT:10.0%}"
            )
    options.out.write_text(json.dumps({"machine": machine, "limit": LIMIT, "rows": cases}, indent=1) + "\n")


class Turn(NamedTuple):
    """What one worker did in one turn."""

    rps: float
    cpu_us: float
    courier_us: float


def _case(case: str, workers: dict[str, tuple[int, str, int]], seconds: int, turns: int) -> dict[str, Any]:
    found: dict[str, list[Turn]] = {name: [] for name in workers}
    for turn in range(turns + 1):
        # Forth and back: what the machine does slowly, such as getting warm, meets all alike.
        for name, worker in sorted(workers.items(), reverse=bool(turn % 2)):
            row = _turn(name, case, worker, seconds if turn else 2)
            if turn:  # the first warms
                found[name].append(row)
    # Turn by turn against the worker without: what else the machine did then meets both.
    less = {
        name: statistics.median(1 - one.rps / bare.rps for one, bare in zip(rows, found["without"], strict=True))
        for name, rows in found.items()
    }
    return {
        name: {
            "rps": statistics.median(row.rps for row in rows),
            "cpu_us": statistics.median(row.cpu_us for row in rows),
            "best_cpu_us": min(row.cpu_us for row in rows),
            "courier_us": statistics.median(row.courier_us for row in rows),
            "less": less[name],
        }
        for name, rows in found.items()
    }


def _turn(name: str, case: str, worker: tuple[int, str, int], seconds: int) -> Turn:
    body, connections = CASES[case]
    port, key, pid = worker
    process = psutil.Process(pid)
    couriers = process.children()
    before, before_beside = _seconds(process), sum(map(_seconds, couriers))
    row = measure(
        f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body), key=key, connections=connections,
        seconds=seconds, core=places.OTHERS,
    )  # fmt: skip
    if row["failed"]:
        raise SystemExit(f"{name}: {row['failed']} calls failed")
    calls = row["rps"] * seconds
    took, beside = _seconds(process) - before, sum(map(_seconds, couriers)) - before_beside
    return Turn(row["rps"], took / calls * 1e6, beside / calls * 1e6)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
