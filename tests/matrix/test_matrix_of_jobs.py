"""Every route x every kind of run: a run may be asked for by whoever has the permission that its job declares, and by nobody else."""

import pytest

from flyball.jobs import JOBS
from flyball.runs import service as runs

from .bodies import body_of
from .callers import caller
from .table import address, named, table
from .tenant import settled


@pytest.mark.timeout(300)
async def test_a_job_declares_the_permission_of_the_routes_that_queue_it(application, ctx, monkeypatch):
    own = await settled(ctx)
    who = await caller("key of owner", own.ctx, application)
    queued: dict[str, dict[str, str]] = {}
    enqueue = runs.enqueue

    async def noting(connection, asked, kind, arguments):
        queued.setdefault(kind, {})[named(route)] = route.permission
        return await enqueue(connection, asked, kind, arguments)

    monkeypatch.setattr(runs, "enqueue", noting)
    monkeypatch.setattr("flyball.traces.service._PATIENCE_SECONDS", 0)
    for route in table(application):
        if route.method != "GET":
            noun = route.path.removeprefix("/api").split("/")[1]
            value = own.one(noun) if noun in own.has else "nothing"
            await who.send(route.method, address(route, value), **body_of(route, own, noun))

    assert {kind: set(routes.values()) for kind, routes in queued.items()} == {
        job.kind: {job.permission} for job in JOBS
    }
    assert {kind: len(routes) for kind, routes in queued.items()} == dict.fromkeys(queued, 2), "an API route and a page"
