"""A worker process with jobs of the tests' own: `python scripted_jobs.py FOLDER`. Each step leaves a line in FOLDER/steps."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

from flyball.infra.jobs import Job, RunContext
from flyball.kit.errors import ConflictError
from flyball.settings import load_settings
from flyball.worker.working import work

FOLDER = Path(sys.argv[1])


def note(line: str) -> None:
    with (FOLDER / "steps").open("a") as file:
        file.write(line + "\n")


async def one_step(name: str, number: int, *, gate: bool) -> int:
    note(f"begin {name} {number}")
    while gate and not (FOLDER / f"gate-{number}").exists():
        await asyncio.sleep(0.01)
    note(f"end {name} {number}")
    return number * 10


async def count(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    total = 0
    for number in range(arguments["steps"]):
        gate = number in arguments.get("gates", [])
        total += await run.step(f"step {number}", one_step, arguments["name"], number, gate=gate)
        await run.progress(number + 1, arguments["steps"], f"step {number}")
    return {"total": total}


async def break_down(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    async def refuse() -> None:
        raise ConflictError("the dataset 'x' exists already", next_step="choose another name")

    await run.step("refuse", refuse)
    return {}


async def go_wrong(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"never": 1 // arguments["zero"]}


JOBS = tuple(
    Job(kind, work, permission="datasets.write")
    for kind, work in (("test.count", count), ("test.break", break_down), ("test.wrong", go_wrong))
)

if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    asyncio.run(work(load_settings(), JOBS))
