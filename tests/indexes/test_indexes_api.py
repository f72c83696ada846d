"""Indexes over HTTP: queue a build, look, search; mistakes come back with the next step."""

from pathlib import Path

import pytest

from flyball.datasets import service as datasets
from flyball.datasets.jobs import JOBS as DATASET_JOBS
from flyball.datasets.records import Declaration
from flyball.indexes.jobs import JOBS
from flyball.infra.jobs.immediate import run_immediately


@pytest.fixture
async def built(admin, ctx, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "boiler.txt").write_text("The boiler makes steam.\n")
    run = await datasets.import_later(ctx, "manual", Declaration(source="folder", location=str(tmp_path / "docs")))
    await run_immediately(ctx, DATASET_JOBS[0], run.arguments)
    queued = (await admin.post("/api/indexes/manual/builds", {"dataset": "manual", "chunk": {"size": 500}})).json()
    await run_immediately(ctx, JOBS[0], queued["arguments"], run_id=queued["id"])


async def test_a_build_is_queued_and_its_version_shown_and_searched(admin, built):
    listed = (await admin.get("/api/indexes")).json()
    versions = (await admin.get("/api/indexes/manual/versions")).json()
    found = (await admin.get("/api/indexes/manual/passages?query=what+makes+steam&k=3")).json()

    assert [(one["index"]["name"], one["newest"]["chunks"]) for one in listed["items"]] == [("manual", 1)]
    assert versions["items"][0]["settings"]["chunk"]["size"] == 500
    assert [passage["text"] for passage in found["items"]] == ["The boiler makes steam."]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/indexes/nothing", 404, "index_not_found"),
        ("/api/indexes/manual/passages?query=steam&version=7", 404, "index_not_built"),
        ("/api/indexes/manual/passages?query=steam&k=101", 400, "index_invalid"),
        ("/api/indexes/manual/passages?query=+", 400, "index_invalid"),
    ],
)
async def test_what_cannot_be_searched_is_named(admin, built, path, status, code):
    answered = await admin.get(path)

    assert (answered.status, answered.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 404, "index_not_found"),
        ({"chunk": {"size": 500}}, 400, "index_invalid"),
        ({"dataset": "manual", "chunk": {"size": 5}}, 400, "invalid_input"),
    ],
)
async def test_a_build_that_cannot_work_is_refused_at_once(admin, body, status, code):
    answered = await admin.post("/api/indexes/new/builds", body)

    assert (answered.status, answered.json()["error"]["code"]) == (status, code)
