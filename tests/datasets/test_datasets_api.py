"""Datasets over HTTP: queue an import, look at versions and rows, add a row; mistakes come back with the next step."""

from pathlib import Path

import pytest

from flyball.datasets.jobs import JOBS
from flyball.infra.jobs.immediate import run_immediately

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def questions(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"id": "a", "question": "What turns?"}\n{"id": "b", "question": "What burns?"}\n')
    return {"source": "jsonl", "location": str(path), "licence": "CC0-1.0"}


@pytest.fixture
async def imported(admin, ctx, questions):
    run = (await admin.post("/api/datasets/questions/imports", questions)).json()
    await run_immediately(ctx, JOBS[0], run["arguments"], run_id=run["id"])


async def test_an_import_is_queued_and_its_version_shown(admin, imported):
    listed = (await admin.get("/api/datasets")).json()
    version = (await admin.get("/api/datasets/questions/versions/newest")).json()
    versions = (await admin.get("/api/datasets/questions/versions")).json()

    assert [(one["dataset"]["name"], one["newest"]["rows"]) for one in listed["items"]] == [("questions", 2)]
    assert (version["version"], version["licences"]) == (1, {"CC0-1.0": 2})
    assert [one["id"] for one in versions["items"]] == [version["id"]]


async def test_rows_are_paged(admin, imported):
    first = (await admin.get("/api/datasets/questions/versions/1/rows?limit=1")).json()
    second = (await admin.get(f"/api/datasets/questions/versions/1/rows?limit=1&cursor={first['next']}")).json()

    assert [row["row_id"] for row in first["items"] + second["items"]] == ["a", "b"]
    assert second["next"] is None


async def test_a_row_is_added_from_a_trace(admin, imported):
    added = await admin.post("/api/datasets/questions/rows", {"trace_id": TRACE, "data": {"question": "Why?"}})

    assert added.status == 201
    assert added.json()["version"]["version"] == 2
    assert added.json()["row"]["lineage"]["trace"] == TRACE


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/datasets/nothing", 404, "dataset_not_found"),
        ("/api/datasets/nothing/versions/newest", 404, "dataset_not_found"),
        ("/api/datasets/questions/versions/9", 404, "dataset_version_not_found"),
        ("/api/datasets/questions/versions/first", 404, "dataset_version_not_found"),
        ("/api/datasets/questions/versions/1/rows?cursor=x", 400, "invalid_input"),
    ],
)
async def test_what_is_not_there_is_named(admin, imported, path, status, code):
    answered = await admin.get(path)

    assert (answered.status, answered.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "dataset_not_declared"),
        ({"location": "/x"}, "dataset_source_not_found"),
        ({"source": "jsonl", "location": "relative.jsonl"}, "dataset_source_not_found"),
        ({"source": "nowhere"}, "invalid_input"),
        ({"source": "stdlib", "colour": "red"}, "invalid_input"),
    ],
)
async def test_an_import_that_cannot_work_is_refused_at_once(admin, body, code):
    answered = await admin.post("/api/datasets/new/imports", body)

    assert (answered.status, answered.json()["error"]["code"]) == (400, code)
    assert (await admin.get("/api/runs")).json()["items"] == []


async def test_a_stranger_sees_nothing(public, imported):
    assert (await public.get("/api/datasets")).status == 401
