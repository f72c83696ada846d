"""Runs: queued with the transaction that asks for them, listed by page, waited for."""

import asyncio
from dataclasses import replace

import pytest

from flyball.infra.events.channels import RUNS
from flyball.infra.events.listen import listen
from flyball.kit.errors import ConflictError, InvalidInputError
from flyball.runs import service
from flyball.runs.errors import RunFailedError, RunNotFoundError, RunStillGoingError
from flyball.runs.ledger import MOST_ATTEMPTS, RunLedger


async def queue(ctx, kind="test.kind", **arguments):
    async with ctx.db.transaction() as connection:
        return await service.enqueue(connection, ctx, kind, arguments)


async def test_a_queued_run_is_as_it_was_asked_for_and_announced(ctx):
    news = listen(ctx.db.url, RUNS)
    await anext(news)

    run = await queue(ctx, path="x", deep={"a": [1, 2.5, None]})

    assert await asyncio.wait_for(anext(news), 2) == (RUNS, run.id)
    assert await service.get(ctx, run.id) == run
    assert (run.status, run.arguments["deep"], run.created_by) == ("queued", {"a": [1, 2.5, None]}, "local:0")
    await news.aclose()


async def test_a_run_whose_transaction_rolls_back_never_was(ctx):
    async with ctx.db.connection() as connection, connection.transaction(force_rollback=True):
        run = await service.enqueue(connection, ctx, "test.kind", {})

    with pytest.raises(RunNotFoundError, match=run.id):
        await service.get(ctx, run.id)


async def test_a_run_of_another_project_is_not_found(ctx):
    run = await queue(ctx)

    with pytest.raises(RunNotFoundError):
        await service.get(replace(ctx, project="other"), run.id)


async def test_runs_are_listed_newest_first_page_by_page_each_once(ctx):
    made = [await queue(ctx, kind=f"test.{number % 2}") for number in range(5)]

    first = await service.list_runs(ctx, limit=2)
    second = await service.list_runs(ctx, first.next, limit=2)
    third = await service.list_runs(ctx, second.next, limit=2)

    listed = [run.id for page in (first, second, third) for run in page.items]
    assert listed == [run.id for run in reversed(made)]
    assert third.next is None
    assert [run.kind for run in (await service.list_runs(ctx, kind="test.1")).items] == ["test.1"] * 2
    assert (await service.list_runs(ctx, status="failed")).items == ()


async def test_a_cursor_that_is_not_ours_is_refused(ctx):
    with pytest.raises(InvalidInputError, match="cursor"):
        await service.list_runs(ctx, "nonsense")


async def test_waiting_ends_with_the_run_with_its_failure_or_in_time(ctx):
    ledger = RunLedger(ctx)
    good, bad, slow = await queue(ctx), await queue(ctx), await queue(ctx)
    await ledger.begin(good.id)
    await ledger.progress(good.id, 1, 3, "one")
    await ledger.succeed(good.id, {"rows": 3})
    await ledger.begin(bad.id)
    await ledger.fail(bad.id, ConflictError("there is one already", next_step="choose another name"))

    done = await service.wait(ctx, good.id)

    assert (done.result, done.done, done.total, done.ended) == ({"rows": 3}, 3, 3, True)
    with pytest.raises(RunFailedError, match=r"there is one already\. Next: choose another name"):
        await service.wait(ctx, bad.id)
    with pytest.raises(RunStillGoingError, match=slow.id):
        await service.wait(ctx, slow.id, timeout=0.1)


async def test_an_ended_run_is_neither_begun_nor_ended_again(ctx):
    ledger = RunLedger(ctx)
    run = await queue(ctx)
    await ledger.begin(run.id)
    await ledger.succeed(run.id, {"first": True})

    again = await ledger.begin(run.id)
    await ledger.fail(run.id, ValueError("late"))
    await ledger.succeed(run.id, {"second": True})

    assert again is None
    assert (await service.get(ctx, run.id)).result == {"first": True}
    assert await ledger.unfinished() == []


async def test_a_run_that_loses_its_worker_a_hundred_times_is_given_up_with_the_reason(ctx):
    ledger = RunLedger(ctx)
    run = await queue(ctx)
    for _ in range(MOST_ATTEMPTS):
        assert await ledger.begin(run.id) is not None

    assert await ledger.begin(run.id) is None
    with pytest.raises(RunFailedError, match="the worker was lost 100 times"):
        await service.wait(ctx, run.id)
