"""How much of a gateway worker's throughput budgets, limits and the ledger cost, against the same worker without: at most 10 %.

python bench/gateway_quotas.py [--pairs 40] [--only CASE] [--out bench/results/gateway_quotas.json]

One worker stands on one core. It is loaded in turns of a second by two keys, one whose calls keep no ledger
(`with_and_without_ledger.py`) and one of these: `ledger`, whose every call is settled and falls under no quota; `one quota`, whose every
call falls under one (money); `four quotas`, whose every call falls under four (money, requests, tokens, parallel calls). What the host
does over minutes meets both, and leases live on, since the key is back before a worker forgets how fast its calls came. The worker's
courier, which delivers what it records, is on the other core, and has a moment after each turn.

`less` is the mean of what is less in the second with quotas than in the one beside it, `+-` its standard error, `median` of the same;
`cpu us` and `more` are processor time of the worker for each call, likewise.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import places
import psutil
from load import measure
from with_and_without_ledger import WITHOUT

from gateway import CASES, _machine

LIMIT = 0.10
QUOTAS = {WITHOUT: 0, "ledger": 0, "one quota": 1, "four quotas": 4}
KEPT = [name for name in QUOTAS if name != WITHOUT]
PROGRAM = [str(Path(__file__).with_name("with_and_without_ledger.py"))]
_REST_SECONDS = 0.25
_WARMING = 3  # pairs


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "gateway_quotas.json")
    options = parser.parse_args()
    os.sched_setaffinity(0, {places.OTHERS})
    machine = _machine()
    rows = {case: _case(case, options.pairs) for case in CASES if case.startswith(options.only)}
    print(
        f"{'':26}{'':14}{'req/s':>10}{'cpu us':>9}{'more':>7}{'courier us':>12}{'less':>8}{'+-':>7}{'median':>9}{'of limit':>10}"
    )
    for case, found in rows.items():
        for name, row in found.items():
            print(
                f"{case:26}{name:14}{row['rps']:10,.0f}{row['cpu_us']:9.0f}{row['more']:7.1%}{row['courier_us']:12.0f}"
                f"{row['less']:8.1%}{row['error']:7.1%}{row['median']:9.1%}{row['less'] / LIMIT:10.0%}"
            )
    options.out.write_text(json.dumps({"machine": machine, "limit": LIMIT, "rows": rows}, indent=1) + "\n")


class Turn(NamedTuple):
    """What the worker did in one turn."""

    rps: float
    cpu_us: float
    courier_us: float


def _case(case: str, pairs: int) -> dict[str, dict[str, float]]:
    """By name, what a worker that lives for this case alone did less than without, and for how much more."""
    with places.upstream() as upstream, places.worker(upstream, PROGRAM, QUOTAS) as worker:
        return {name: _compared([_pair(name, case, worker, turn) for turn in range(_WARMING + pairs)]) for name in KEPT}


def _pair(name: str, case: str, worker: tuple[int, dict[str, str], int], turn: int) -> tuple[Turn, Turn]:
    """A second without and one with."""
    order = (WITHOUT, name) if turn % 2 else (name, WITHOUT)
    found = {each: _turn(each, case, worker) for each in order}
    return found[WITHOUT], found[name]


def _compared(pairs: Sequence[tuple[Turn, Turn]]) -> dict[str, float]:
    pairs = pairs[_WARMING:]
    less = [1 - kept.rps / without.rps for without, kept in pairs]
    return {
        "rps": statistics.median(kept.rps for _, kept in pairs),
        "rps_without": statistics.median(without.rps for without, _ in pairs),
        "cpu_us": statistics.median(kept.cpu_us for _, kept in pairs),
        "more": statistics.median(kept.cpu_us / without.cpu_us - 1 for without, kept in pairs),
        "courier_us": statistics.median(kept.courier_us for _, kept in pairs),
        "less": statistics.mean(less),
        "error": statistics.stdev(less) / len(less) ** 0.5,
        "median": statistics.median(less),
    }


def _turn(name: str, case: str, worker: tuple[int, dict[str, str], int]) -> Turn:
    body, connections = CASES[case]
    port, keys, pid = worker
    process = psutil.Process(pid)
    couriers = process.children()
    before, before_beside = _seconds(process), sum(map(_seconds, couriers))
    row = measure(
        f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body), key=keys[name], connections=connections,
        seconds=1, core=places.OTHERS,
    )  # fmt: skip
    if row["failed"]:
        raise SystemExit(f"{name}: {row['failed']} calls failed")
    took = _seconds(process) - before
    time.sleep(_REST_SECONDS)
    calls = row["rps"]
    return Turn(calls, took / calls * 1e6, (sum(map(_seconds, couriers)) - before_beside) / calls * 1e6)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
