"""Runs over HTTP: for who may read them, page by page, with their errors in the API's envelope."""

from flyball.runs import service


async def queue(ctx, kind="test.kind"):
    async with ctx.db.transaction() as connection:
        return await service.enqueue(connection, ctx, kind, {"path": "x"})


async def test_runs_are_listed_and_shown(admin, ctx):
    first, second = await queue(ctx), await queue(ctx)

    listed = (await admin.get("/api/runs?limit=1")).json()
    shown = (await admin.get(f"/api/runs/{first.id}")).json()

    assert [run["id"] for run in listed["items"]] == [second.id]
    assert listed["next"]
    assert (shown["status"], shown["arguments"], shown["error"]) == ("queued", {"path": "x"}, None)


async def test_a_run_that_is_not_there_is_named_with_the_next_step(admin):
    answered = await admin.get("/api/runs/run_none")

    assert answered.status == 404
    assert answered.json()["error"]["code"] == "run_not_found"
    assert "flyball runs list" in answered.json()["error"]["next_step"]


async def test_a_stranger_sees_no_run(public, ctx):
    run = await queue(ctx)

    assert (await public.get(f"/api/runs/{run.id}")).status == 401
