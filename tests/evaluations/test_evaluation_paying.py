"""What a run asks of models stands in the ledger like any call, and budgets and limits count it: a run that meets one stops, and goes on."""

from collections import Counter

import pytest

from flyball.evaluations import jobs, paying, service
from flyball.evaluations.errors import NotToContinueError, RunStoppedError
from flyball.infra.db.database import fetch_all
from flyball.infra.jobs.immediate import run_immediately
from flyball.infra.spool.spool import Spool
from flyball.kit.errors import NotFoundError
from flyball.ledger import quotas
from flyball.ledger.bank import SECOND
from flyball.ledger.checking import check
from flyball.ledger.declared import QuotaChange, QuotaWish
from flyball.ledger.opening import open_till
from flyball.ledger.records import Entry
from flyball.ledger.settling import encode_entry
from flyball.models import service as models
from flyball.models.records import Endpoint, ModelSpec, Prices
from flyball.projects import keys
from flyball.runs import service as runs
from flyball.runs.ledger import RunLedger
from flyball.testing import ScriptedUpstream, Turn

from .conftest import ITEMS

PRICE_OF_A_TURN = 11 * 150 + 9 * 600
FREE = {"started_by": "local:0", "evaluation": "quality", "dataset_version": None}


class CountingUpstream(ScriptedUpstream):
    """Knows how many it was asked at once."""

    most = 0

    def take_turn(self, model):
        busy = sum(
            connection._answering is not None and not connection._answering.done() for connection in self.connections
        )
        self.most = max(self.most, busy + 1)
        return super().take_turn(model)


@pytest.fixture(autouse=True)
def a_slow_bank_is_not_away(monkeypatch):
    """What a limit lets through is counted here: on a busy machine a bank that answers late must not count as one that is away."""
    monkeypatch.setattr("flyball.ledger.lender.AWAY_NS", 5 * SECOND)


@pytest.fixture
async def upstream():
    async with CountingUpstream() as upstream:
        yield upstream


@pytest.fixture
async def asking(ctx, bench, upstream):
    """The evaluation of two rules and a model that answers."""
    await bench.declare()
    place = Endpoint(provider="openai-compatible", base_url=upstream.base_url, model="mock-small")
    prices = Prices(input="0.15", output="0.60")
    async with ctx.db.transaction() as connection:
        await models.put(connection, ctx, "fast", ModelSpec(endpoints=(place,), prices=prices))
    return bench


async def run(ctx, run_id="run_1", **arguments):
    return await run_immediately(ctx, jobs.JOBS[0], FREE | arguments, run_id=run_id)


async def entries(ctx):
    async with ctx.db.connection() as connection:
        return await fetch_all(connection, "select * from ledger")


async def test_each_attempt_of_a_run_is_an_entry_on_the_account_of_whoever_started_it(ctx, asking, upstream):
    made = await keys.create_key(ctx, "ci")
    upstream.then(Turn(fault="status", status=503))

    await run(ctx, started_by=made.key.id)

    found = await entries(ctx)
    assert Counter(row["state"] for row in found) == {"complete": ITEMS, "retried": 1}
    assert sum(row["requests"] for row in found) == ITEMS
    assert sum(row["nano_usd"] for row in found) == ITEMS * PRICE_OF_A_TURN
    assert {(row["function"], row["variant"], row["model"], row["key_id"]) for row in found} == {
        ("ask", "big", "fast", made.key.line)
    }
    assert {tuple(row["tags"]) for row in found} == {("evaluation", "evaluation:quality", "run_1")}
    assert len({row["trace_id"] for row in found}) == ITEMS
    assert (await check(ctx)).ok


async def test_a_run_that_meets_a_budget_stops_names_it_and_goes_on_where_it_stopped(ctx, asking, upstream):
    upstream.otherwise = Turn(completion_tokens=1_000)
    price = 11 * 150 + 1_000 * 600
    wish = QuotaWish(scope="tag evaluation", unit="nano_usd", amount=20 * price, window="total")
    budget = await quotas.set_quota(ctx, wish)

    with pytest.raises(RunStoppedError, match=f"the budget of the tag 'evaluation' has .* left.*{budget.id}") as caught:
        await run(ctx)
    assert "`flyball eval run quality --continue run_1`" in str(caught.value)
    asked = len(upstream.requests)
    assert 19 <= asked <= 20
    assert sum(row["nano_usd"] for row in await entries(ctx)) == asked * price

    await quotas.change_quota(ctx, "budget", budget.id, QuotaChange(amount=10**12))
    done = await run(ctx, "run_2", continues=["run_1"])

    assert len(upstream.requests) == ITEMS
    report = await service.get_report(ctx, done["report_id"])
    assert {variant.variant.name: variant.items for variant in report.findings.variants} == dict.fromkeys(
        ("fair", "good", "big"), ITEMS
    )
    assert sum(row["nano_usd"] for row in await entries(ctx)) == ITEMS * price


async def test_a_run_waits_for_its_place_among_calls_at_once(ctx, asking, upstream):
    upstream.otherwise = Turn(delay_seconds=0.01)
    await quotas.set_quota(ctx, QuotaWish(scope="model fast", unit="parallel", amount=2, window="total"))

    await run(ctx)

    assert len(upstream.requests) == ITEMS
    assert upstream.most <= 2


async def test_a_limit_that_frees_too_late_stops_a_run(ctx, asking, upstream, monkeypatch):
    monkeypatch.setattr(paying, "LONGEST_WAIT_SECONDS", 0.5)
    await quotas.set_quota(ctx, QuotaWish(scope="function ask", unit="requests", amount=10, window="total"))

    with pytest.raises(RunStoppedError, match="the limit of the function 'ask' has 0 requests left"):
        await run(ctx)
    assert len(upstream.requests) == 10


async def test_rules_are_neither_counted_nor_stopped(ctx, bench):
    await bench.declare()
    await quotas.set_quota(ctx, QuotaWish(scope="project", unit="requests", amount=0, window="total"))

    await run(ctx)

    assert await entries(ctx) == []


async def test_what_a_killed_worker_had_used_is_settled_by_the_next(ctx):
    spool = Spool(ctx.layout.spool, f"{paying.SPOOL}-1", capacity=1_000_000)
    spool.append(encode_entry(Entry(id="a" * 16, project="default", organisation="default", at_ns=1, nano_usd=7)))
    spool.close()

    async with open_till(ctx.layout, ctx.settings, ctx.clock, kind=paying.SPOOL):
        pass

    assert [row["nano_usd"] for row in await entries(ctx)] == [7]


async def test_only_a_failed_run_of_the_evaluation_is_continued(ctx, asking):
    queued = await service.start(ctx, "quality")
    with pytest.raises(NotToContinueError, match="is queued; only one that failed"):
        await service.start(ctx, "quality", continues=queued.id)
    with pytest.raises(NotFoundError):
        await service.start(ctx, "quality", continues="run_none")
    async with ctx.db.transaction() as connection:
        other = await runs.enqueue(connection, ctx, "datasets.import", {})
    with pytest.raises(NotToContinueError, match="none of the evaluation 'quality'"):
        await service.start(ctx, "quality", continues=other.id)

    await RunLedger(ctx).fail(queued.id, RuntimeError("x"))
    continued = await service.start(ctx, "quality", continues=queued.id)
    await RunLedger(ctx).fail(continued.id, RuntimeError("x"))
    again = await service.start(ctx, "quality", continues=continued.id)

    assert again.arguments["continues"] == [continued.id, queued.id]
    assert again.arguments["dataset_version"] == queued.arguments["dataset_version"]
