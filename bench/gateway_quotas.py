"""How much of a gateway worker's throughput budgets, limits and the ledger cost, against the same worker without: at most 10 %.

python bench/gateway_quotas.py [--rounds 3] [--turns 4] [--seconds 4] [--out bench/results/gateway_quotas.json]

One worker stands on one core and is loaded in turns by four keys: one whose calls keep no ledger (`with_and_without_ledger.py`), one
whose every call is settled and falls under no quota, one whose every call falls under one (money), one whose every call falls under
four (money, requests, tokens, parallel calls). Each turn begins with a second that does not count, in which leases grow from nothing.
The worker's courier, which delivers what it records, is on the other core; `courier us` is what that takes. Between two turns it is
waited for, so that it works for nobody else's.

Each round starts the worker anew. `less` compares a key's turn with that of the call without a ledger in the same twenty seconds, so
that what the host does over minutes meets both, and is the mean of all those pairs; `+-` is its standard error.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import places
import psutil
from load import measure
from with_and_without_ledger import WITHOUT

from gateway import CASES, _machine

LIMIT = 0.10
QUOTAS = {WITHOUT: 0, "ledger": 0, "one quota": 1, "four quotas": 4}
PROGRAM = [str(Path(__file__).with_name("with_and_without_ledger.py"))]
_REST_SECONDS = 0.7


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "gateway_quotas.json")
    options = parser.parse_args()
    os.sched_setaffinity(0, {places.OTHERS})
    machine = _machine()
    rounds = [_round(options.seconds, options.turns) for _ in range(options.rounds)]
    cases = {case: {name: _summed([one[case] for one in rounds], name) for name in QUOTAS} for case in CASES}
    print(f"{'':26}{'':14}{'req/s':>10}{'cpu us':>9}{'best':>7}{'courier us':>12}{'less':>8}{'+-':>7}{'of limit':>10}")
    for case, rows in cases.items():
        for name, row in rows.items():
            print(
                f"{case:26}{name:14}{row['rps']:10,.0f}{row['cpu_us']:9.0f}{row['best_cpu_us']:7.0f}{row['courier_us']:12.0f}"
                f"{row['less']:8.1%}{row['error']:7.1%}{row['less'] / LIMIT:10.0%}"
            )
    options.out.write_text(json.dumps({"machine": machine, "limit": LIMIT, "rows": cases}, indent=1) + "\n")


class Turn(NamedTuple):
    """What the worker did in one turn."""

    rps: float
    cpu_us: float
    courier_us: float


def _round(seconds: int, turns: int) -> dict[str, dict[str, list[Turn]]]:
    """By case and name, what a worker that lives for this round alone did in each turn."""
    with places.upstream() as upstream, places.worker(upstream, PROGRAM, QUOTAS) as worker:
        return {case: _case(case, worker, seconds, turns) for case in CASES}


def _case(case: str, worker: tuple[int, dict[str, str], int], seconds: int, turns: int) -> dict[str, list[Turn]]:
    found: dict[str, list[Turn]] = {name: [] for name in QUOTAS}
    for turn in range(turns + 1):
        # Forth and back: what the machine does slowly, such as getting warm, meets all alike.
        for name in sorted(QUOTAS, reverse=bool(turn % 2)):
            row = _turn(name, case, worker, seconds)
            if turn:  # the first warms
                found[name].append(row)
    return found


def _summed(rounds: Sequence[dict[str, list[Turn]]], name: str) -> dict[str, float]:
    turns = [turn for one in rounds for turn in one[name]]
    less = [1 - turn.rps / without.rps for one in rounds for turn, without in zip(one[name], one[WITHOUT], strict=True)]
    return {
        "rps": statistics.median(turn.rps for turn in turns),
        "cpu_us": statistics.median(turn.cpu_us for turn in turns),
        "best_cpu_us": min(turn.cpu_us for turn in turns),
        "courier_us": statistics.median(turn.courier_us for turn in turns),
        "less": statistics.mean(less),
        "error": statistics.stdev(less) / len(less) ** 0.5 if len(less) > 1 else 0.0,
    }


def _turn(name: str, case: str, worker: tuple[int, dict[str, str], int], seconds: int) -> Turn:
    body, connections = CASES[case]
    port, keys, pid = worker
    process = psutil.Process(pid)
    couriers = process.children()
    load = partial(
        measure, f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body), key=keys[name], connections=connections,
        core=places.OTHERS,
    )  # fmt: skip
    load(seconds=1)
    before, before_beside = _seconds(process), sum(map(_seconds, couriers))
    row = load(seconds=seconds)
    if row["failed"]:
        raise SystemExit(f"{name}: {row['failed']} calls failed")
    calls = row["rps"] * seconds
    took = _seconds(process) - before
    time.sleep(_REST_SECONDS)
    return Turn(row["rps"], took / calls * 1e6, (sum(map(_seconds, couriers)) - before_beside) / calls * 1e6)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
