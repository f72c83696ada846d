"""An application that observes itself with the SDK, against a real flyball: both are killed, and everything is there, once.

With the environment that `tests/sdk/test_instrumented_libraries.py` describes, libraries under OpenInference's packages too.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTRUMENTED = Path(os.environ.get("FLYBALL_TEST_INSTRUMENTED", ROOT / ".venv-instrumented" / "bin" / "python"))
WORKER = """
import itertools, sys, time
import flyball

@flyball.observe(name="inner", kind="tool")
def inner(number):
    return "x" * 500

@flyball.observe(name="outer")
def outer(number):
    flyball.current_span().set(session="s", usage={"input_tokens": 3, "output_tokens": 2}, model="m")
    inner(number)
    return number

first, most = int(sys.argv[1]), int(sys.argv[2])
for number in range(first, first + most):
    outer(number)
    print(number, time.monotonic(), flush=True)
    time.sleep(0.002)
"""


def environment(flyball, key: str, folder: Path) -> dict[str, str]:
    return os.environ | {
        "FLYBALL_SERVER": flyball.address,
        "FLYBALL_KEY": key,
        "FLYBALL_OFFLINE": str(folder),
        "PYTHONPATH": str(ROOT / "src"),
    }


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*-*-*.*") if path.suffix != ".lock"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_an_application_observed_is_kept_once_whoever_is_killed(begin, tmp_path) -> None:
    flyball, folder, chance = begin(), tmp_path / "offline", random.Random(11)
    flyball.start()
    key = flyball.ask("keys", "create", "application")["key"]
    safe: list[int] = []
    for turn in range(6):
        if turn % 3 == 2:
            flyball.stop()  # the application begins while nobody is there
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(turn * 100_000), "99999"],
            env=environment(flyball, key, folder),
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(chance.uniform(1.5, 3))
        if turn % 3 == 1:
            for one in flyball.called("control"):
                one.kill()
            time.sleep(0.5)
        killed = time.monotonic()
        process.send_signal(signal.SIGKILL)
        printed = [line.split() for line in process.communicate()[0].splitlines()]
        safe += [int(line[0]) for line in printed if len(line) == 2 and float(line[1]) < killed - 1]
        if turn % 3 == 2:
            flyball.start()
    subprocess.run(
        [sys.executable, "-c", WORKER + "\nprint(flyball.flush(60))", "900000", "1"],
        env=environment(flyball, key, folder),
        check=True,
        timeout=100,
    )
    flyball.until(lambda: not left(folder), "batches wait", show=lambda: left(folder))

    def kept() -> dict[int, int]:
        rows = flyball.sql(
            "select output_preview as number, count(*) as spans from spans where name = 'outer' group by 1"
        )
        return {int(row["number"]): row["spans"] for row in rows}

    assert len(safe) > 500
    flyball.until(lambda: set(safe) <= kept().keys(), "spans are missing", show=lambda: len(kept()))
    assert {number: count for number, count in kept().items() if count != 1} == {}
    (sums,) = flyball.sql(
        "select count(*) as spans, count(distinct span_id) as ids, sum(input_tokens) as tokens,"
        " count(*) filter (where session_id = 's') as sessions from spans where name = 'outer'"
    )
    assert (sums["ids"], sums["tokens"], sums["sessions"]) == (sums["spans"], 3 * sums["spans"], sums["spans"])
    flyball.stop()


@pytest.mark.long
@pytest.mark.skipif(not INSTRUMENTED.exists(), reason=f"no environment at {INSTRUMENTED}")
def test_libraries_and_functions_of_an_application_are_one_tree_in_flyball(begin, tmp_path) -> None:
    flyball = begin()
    flyball.start()
    key = flyball.ask("keys", "create", "application")["key"]
    upstream = subprocess.Popen(
        [sys.executable, "-m", "flyball.testing", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = upstream.stdout.readline().split()[-1].removesuffix("/v1")
        program = ROOT / "tests" / "sdk" / "instrumented" / "program.py"
        done = subprocess.run(
            [INSTRUMENTED, program],
            env=environment(flyball, key, tmp_path / "offline") | {"UPSTREAM": address},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
    finally:
        upstream.terminate()
        upstream.wait()
        upstream.stdout.close()
    assert done.stdout.endswith("True\n"), done.stdout + done.stderr
    assert left(tmp_path / "offline") == []

    def calls() -> dict[str, list[dict]]:
        """What was asked of each model; an instrumentor may tell one call by two spans."""
        rows = flyball.sql(
            "select coalesce(nullif(model_requested, ''), model_response) as model, trace_id, session_id, output_tokens"
            " from spans where kind = 'llm'"
        )
        return {row["model"]: [other for other in rows if other["model"] == row["model"]] for row in rows}

    told = flyball.until(lambda: len(calls()) == 3 and calls(), "calls are missing", show=calls)
    (trace_id,) = {row["trace_id"] for rows in told.values() for row in rows}
    tree = flyball.ask("traces", "show", trace_id)
    depths = {node["span"]["name"]: node["depth"] for node in tree["nodes"]}
    assert {row["session_id"] for rows in told.values() for row in rows} == {"session-1"}
    assert all(any(row["output_tokens"] > 0 for row in rows) for rows in told.values())
    assert depths["answer"] == 0
    assert [depths[name] for name in ("ask openai", "ask anthropic", "ask langchain")] == [1, 1, 1]
    assert min(node["depth"] for node in tree["nodes"] if node["span"]["kind"] == "llm") >= 2
    assert not any(node.get("orphan") for node in tree["nodes"])
    flyball.stop()
