"""A trace with a corrected answer becomes a row: a new version that shares its parent's rows and names both."""

import asyncio
from pathlib import Path

import pytest

from flyball.datasets import service
from flyball.datasets.errors import DatasetKindError, DatasetNotFoundError, RowInvalidError
from flyball.datasets.jobs import JOBS
from flyball.datasets.records import Declaration
from flyball.infra.jobs.immediate import run_immediately

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def questions(ctx, tmp_path: Path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"id": "a", "question": "What turns?"}\n{"id": "b", "question": "What burns?"}\n')
    run = await service.import_later(ctx, "questions", Declaration(source="jsonl", location=str(path)))
    await run_immediately(ctx, JOBS[0], run.arguments)
    return await service.get_version(ctx, "questions")


async def test_a_row_from_a_trace_makes_a_version_that_names_its_parent_and_the_trace(ctx, questions):
    data = {"question": "What governs?", "expected": ["flyball"], "answer": "The governor."}
    version, row = await service.add_row_from_trace(ctx, "questions", trace_id=TRACE, data=data)

    rows = await service.read_rows(ctx, version)
    assert [r.row_id for r in rows] == ["a", "b", f"trace-{TRACE}"]
    assert rows[-1] == row
    assert (row.data["answer"], row.text, row.lineage["trace"]) == ("The governor.", "What governs?", TRACE)
    assert (version.version, version.rows) == (2, 3)
    assert version.parts[: len(questions.parts)] == questions.parts
    assert [(p.kind, p.id) for p in version.parents] == [("dataset_version", questions.id), ("trace", TRACE)]
    assert version.splits == {"all": 3}
    assert len(await service.read_rows(ctx, questions)) == 2


async def test_adding_the_same_again_changes_nothing(ctx, questions):
    data = {"question": "What governs?"}
    first, _ = await service.add_row_from_trace(ctx, "questions", trace_id=TRACE, data=data)
    second, _ = await service.add_row_from_trace(ctx, "questions", trace_id=TRACE, data=data)

    assert second.id == first.id


async def test_another_row_under_a_taken_id_is_refused(ctx, questions):
    with pytest.raises(RowInvalidError, match="another row 'a'"):
        await service.add_row_from_trace(ctx, "questions", trace_id=TRACE, data={"id": "a", "question": "?"})


async def test_rows_that_are_added_at_once_are_all_there(ctx, questions):
    async def add(number: int) -> None:
        await service.add_row_from_trace(ctx, "questions", trace_id=f"{number:032x}", data={"question": f"{number}?"})

    await asyncio.gather(*(add(number) for number in range(5)))

    version = await service.get_version(ctx, "questions")
    rows = await service.read_rows(ctx, version)
    assert (version.version, len(rows)) == (6, 7)
    assert [row.position for row in rows] == list(range(7))


async def test_importing_the_original_file_again_after_learning_makes_a_version_without_the_row(ctx, questions):
    await service.add_row_from_trace(ctx, "questions", trace_id=TRACE, data={"question": "?"})
    run = await service.import_later(ctx, "questions")
    result = await run_immediately(ctx, JOBS[0], run.arguments)

    assert (result["version"], result["rows"], result["hash"]) == (3, 2, questions.hash)


async def test_what_cannot_be_added_says_why(ctx, questions, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("x")
    run = await service.import_later(ctx, "manual", Declaration(source="folder", location=str(tmp_path / "docs")))
    await run_immediately(ctx, JOBS[0], run.arguments)

    with pytest.raises(DatasetKindError):
        await service.add_row_from_trace(ctx, "manual", trace_id=TRACE, data={"question": "?"})
    with pytest.raises(DatasetNotFoundError):
        await service.add_row_from_trace(ctx, "nothing", trace_id=TRACE, data={"question": "?"})
    with pytest.raises(RowInvalidError, match="without any field"):
        await service.add_row_from_trace(ctx, "questions", trace_id=TRACE, data={})
    with pytest.raises(RowInvalidError, match="bytes cannot be added"):
        await service.add_row_from_trace(ctx, "questions", trace_id=TRACE, data={"text": "x" * 2_000_000})


async def test_rows_are_paged_in_their_order(ctx, questions):
    first = await service.rows(ctx, questions, limit=1)
    second = await service.rows(ctx, questions, first.next, limit=1)

    assert ([row.row_id for row in first.items], first.total) == (["a"], 2)
    assert ([row.row_id for row in second.items], second.next) == (["b"], None)
