"""An evaluation whose worker is killed again and again: it ends, nothing is missing, nothing is doubled."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.evaluations import service
from flyball.evaluations.results import EVALUATION_RESULTS
from flyball.infra.jobs.immediate import Immediate
from flyball.runs import service as runs

from .conftest import CODE, ITEMS

SCRIPT = Path(__file__).with_name("evaluating_worker.py")
SLOW = CODE.replace("def _answer(input, right):\n", "def _answer(input, right):\n    import time; time.sleep(0.06)\n")
KILLS = 6


class Worker:
    """One worker process at a time."""

    def __init__(self, ctx):
        self.settings = ctx.settings
        self.log = ctx.layout.root / "worker.log"
        self.process = None

    def start(self):
        knobs = {"FLYBALL_DATA": self.settings.data, "FLYBALL_DATABASE_URL": self.settings.database_url}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT)], env={**os.environ, **knobs}, stdout=log, stderr=log
            )

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def worker(ctx):
    worker = Worker(ctx)
    yield worker
    worker.kill()


async def until_begun(ctx, run, attempts):
    async with asyncio.timeout(60):
        while (await runs.get(ctx, run.id)).attempts < attempts:
            await asyncio.sleep(0.02)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_worker_killed_at_random_moments_leaves_every_answer_once_and_one_report(ctx, bench, worker):
    chance = random.Random(2026)
    bench.code = SLOW
    await bench.declare()
    run = await service.start(ctx, "quality")
    for attempt in range(1, KILLS + 1):
        worker.start()
        await until_begun(ctx, run, attempt)
        await asyncio.sleep(chance.uniform(0, 1.5))
        worker.kill()
    worker.start()
    ended = await runs.wait(ctx, run.id, timeout=60)

    report = await service.get_report(ctx, ended.result["report_id"])
    assert ended.attempts == KILLS + 1
    per_answer = ctx.lake.query(
        "select count(*) as n, count(distinct (item_id, variant)) as different from evaluation_results",
        tables=[EVALUATION_RESULTS],
    )[0]
    assert (per_answer["n"], per_answer["different"]) == (2 * ITEMS, 2 * ITEMS)
    assert report.findings.items == ITEMS
    assert (await service.check_report(ctx, report.id)).findings_hold
    assert len((await service.list_reports(ctx)).items) == 1
    undisturbed = await bench.run(machinery=Immediate())
    assert undisturbed.findings.judgements == report.findings.judgements
