"""The commands as a user types them, against the whole control application: evaluate, compare, release, roll back."""

import asyncio
import json

import msgspec
import pytest
from typer.testing import CliRunner

from flyball.datasets import service as datasets
from flyball.evaluations import cli as evaluations_cli
from flyball.evaluations import jobs, service
from flyball.infra.jobs.immediate import run_immediately
from flyball.kit.errors import FlyballError
from flyball.ledger import quotas
from flyball.ledger.declared import QuotaChange, QuotaWish
from flyball.models import service as models
from flyball.models.records import Endpoint, ModelSpec, Prices
from flyball.projects import keys as projects
from flyball.releases import cli as releases_cli
from flyball.releases import service as releases
from flyball.releases.records import Proposal
from flyball.runs import service as runs
from flyball.runs.ledger import RunLedger
from flyball.surface.console import ControlClient
from flyball.surface.console.transport import Answer
from flyball.testing import ScriptedUpstream

from .conftest import ITEMS, SPEC, question


class Bridge:
    """Carries a command's requests from its thread to the application on the test's loop."""

    def __init__(self, client):
        self.client = client
        self.loop = asyncio.get_running_loop()

    def send(self, method, target, body, *, timeout):
        asked = self.client.send(method, target, body=body, headers={"content-type": "application/json"})
        answered = asyncio.run_coroutine_threadsafe(asked, self.loop).result(timeout)
        return Answer(answered.status, answered.body)


async def work_off(ctx):
    """What the worker does: begin queued evaluations, run them, note how they ended."""
    ledger = RunLedger(ctx)
    while True:
        for run in (await runs.list_runs(ctx, kind=jobs.KIND, status="queued")).items:
            await ledger.begin(run.id)
            try:
                done = await run_immediately(ctx, jobs.JOBS[0], run.arguments, run_id=run.id)
            except FlyballError as error:
                await ledger.fail(run.id, error)
            else:
                await ledger.succeed(run.id, done)
        await asyncio.sleep(0.02)


@pytest.fixture
async def flyball(ctx, admin, monkeypatch):
    """Type a command; its result has `exit_code`, `stdout` and `stderr`."""
    client = ControlClient(Bridge(admin))
    apps = {"eval": evaluations_cli, "release": releases_cli}
    for module in apps.values():
        monkeypatch.setattr(module, "control", lambda: client)
    worker = asyncio.create_task(work_off(ctx))

    async def typed(command):
        noun, *rest = command.split()
        return await asyncio.to_thread(CliRunner().invoke, apps[noun].app, rest)

    yield typed
    worker.cancel()


async def test_an_evaluation_that_passes_prints_its_numbers_and_exits_with_0(flyball, bench):
    await bench.declare()
    done = await flyball("eval run quality")

    assert done.exit_code == 0, done.output
    assert "quality: ask version 1 on questions version 1, 60 items" in done.stdout
    assert "0.750 [0.628, 0.842]" in done.stdout
    assert "skipped" in done.stdout
    assert "NOT_SET_URL" in done.stdout
    assert "good: hit_at_1 +0.2000 [" in done.stdout
    assert "margin 0.02, n = 60; smallest effect that 80 % power could see: 0." in done.stdout
    assert done.stdout.rstrip().endswith("verdict: PASS; winner: good")


async def test_a_verdict_is_an_exit_code(flyball, bench):
    await bench.declare(msgspec.structs.replace(SPEC, baseline="good", variants=("fair",)), "worse")
    await bench.declare(msgspec.structs.replace(SPEC, baseline="good", variants=("failing",)), "unclear")

    assert (await flyball("eval run worse")).exit_code == 3
    assert (await flyball("eval run unclear")).exit_code == 4


async def test_what_does_not_exist_is_named_with_the_next_command(flyball, bench):
    await bench.declare()
    unknown, no_version = await flyball("eval run speed"), await flyball("eval run quality --dataset-version 9")

    assert (unknown.exit_code, no_version.exit_code) == (7, 7)
    assert unknown.stderr == "error: there is no evaluation named 'speed'\n  next: see `flyball eval list`\n"
    assert "no version 9" in no_version.stderr


async def test_a_run_that_fails_says_why(flyball, bench):
    await bench.declare(msgspec.structs.replace(SPEC, baseline="big"))
    done = await flyball("eval run quality")

    assert done.exit_code == 1
    assert "NOT_SET_URL" in done.stderr


async def test_reports_are_shown_checked_and_compared(flyball, bench, ctx):
    await bench.declare()
    before = json.loads((await flyball("eval run quality --json")).stdout)
    await datasets.add_row_from_trace(ctx, "questions", trace_id="0" * 32, data=question(401))
    after = json.loads((await flyball("eval run quality --json")).stdout)

    compared = await flyball(f"eval compare {before['id']} {after['id']}")
    shown = await flyball("eval show quality")
    assert "60 items in both, 1 new, 0 gone" in compared.stdout
    assert "new: q401" in compared.stdout
    assert before["id"] in shown.stdout
    assert after["id"] in shown.stdout
    assert "verdict: PASS" in (await flyball(f"eval show {after['id']}")).stdout
    assert (await flyball(f"eval check {after['id']}")).exit_code == 0
    assert "q401" in (await flyball(f"eval results {after['id']} --item q401")).stdout
    assert "quality" in (await flyball("eval list")).stdout


async def test_a_winner_is_proposed_approved_served_and_rolled_back(flyball, bench, ctx):
    await bench.declare()
    report = await bench.run()
    reference = json.loads((await flyball(f"release propose ask --evidence {report.id} --variant fair --json")).stdout)
    assert "approved by" in (await flyball(f"release approve {reference['id']}")).stdout
    assert (await flyball(f"release serve {reference['id']}")).exit_code == 0

    winner = json.loads((await flyball(f"release propose ask --evidence {report.id} --json")).stdout)
    refused = await flyball(f"release serve {winner['id']}")
    assert refused.exit_code == 8
    assert f"flyball release approve {winner['id']}" in refused.stderr
    await flyball(f"release approve {winner['id']}")
    served = await flyball(f"release serve {winner['id']}")
    assert "good 100 %" in served.stdout

    back = await flyball("release rollback ask --reason slow")
    assert "fair 100 %" in back.stdout
    shown = await flyball("release list")
    assert shown.stdout.count("superseded") == 2
    assert "approved by" in (await flyball(f"release show {winner['id']}")).stdout


async def test_the_gates_refusal_says_what_to_do(flyball, bench):
    await bench.declare()
    refused = await flyball("release propose ask --variant good")
    malformed = await flyball("release propose ask --variant good=many")
    overridden = await flyball("release propose ask --variant good --override drill")

    assert refused.exit_code == 8
    assert "there is no evidence" in refused.stderr
    assert "--override" in refused.stderr
    assert malformed.exit_code == 2
    assert overridden.exit_code == 0


async def test_a_reviewer_may_approve_but_not_serve(bench, ctx, public):
    await bench.declare()
    report = await bench.run()
    release = await releases.propose(ctx, Proposal(function="ask", evidence=(report.id,)))
    _, token = await projects.create_key(ctx, "reviewer", role="reviewer")
    public.headers["authorization"] = f"Bearer {token.reveal()}"

    approved = await public.post(f"/api/releases/{release.id}/approvals", {"comment": "fine"})
    served = await public.post(f"/api/releases/{release.id}/promotion", {})
    assert (approved.status, served.status) == (201, 403)
    assert (await public.post("/api/releases", {"function": "ask"})).status == 403


async def test_an_evaluation_is_declared_through_the_api(bench, admin, ctx):
    await bench.declare()
    answered = await admin.send("PUT", "/api/evaluations/quick", json=msgspec.to_builtins(SPEC))
    wrong = await admin.send("PUT", "/api/evaluations/quick", json=msgspec.to_builtins(SPEC) | {"margins": 1})

    assert (answered.status, wrong.status) == (200, 400)
    assert (await service.get_evaluation(ctx, "quick")).spec.margin == SPEC.margin
    assert (await admin.get("/api/evaluations")).json()[1]["name"] == "quick"


async def test_a_run_that_meets_a_budget_says_how_it_is_continued(ctx, flyball, bench):
    await bench.declare()
    budget = await quotas.set_quota(ctx, QuotaWish(scope="project", unit="nano_usd", amount=0, window="day"))
    async with ScriptedUpstream() as upstream:
        place = Endpoint(provider="openai-compatible", base_url=upstream.base_url, model="mock-small")
        spec = ModelSpec(endpoints=(place,), prices=Prices(input=1, output=2))
        async with ctx.db.transaction() as connection:
            await models.put(connection, ctx, "fast", spec)

        stopped = await flyball("eval run quality")
        [failed] = (await runs.list_runs(ctx, kind=jobs.KIND)).items
        await quotas.change_quota(ctx, "budget", budget.id, QuotaChange(amount=10**12))
        elsewhere = await flyball("eval run quality --continue run_of_nobody")
        done = await flyball(f"eval run quality --continue {failed.id}")

    assert stopped.exit_code == 1
    assert budget.id in stopped.stderr
    assert f"flyball eval run quality --continue {failed.id}" in stopped.stderr
    assert failed.error_code == "quota_reached"
    assert (elsewhere.exit_code, "run_of_nobody" in elsewhere.stderr) == (7, True)
    assert done.exit_code == 0, done.stderr
    assert len(upstream.requests) == ITEMS
