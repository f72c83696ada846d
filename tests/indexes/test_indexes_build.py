"""Building and searching: a version per content and settings, files that may be lost, passages that quote their document."""

import asyncio
import shutil
from pathlib import Path

import pytest

from flyball.datasets import service as datasets
from flyball.datasets.jobs import JOBS as DATASET_JOBS
from flyball.datasets.records import Declaration
from flyball.indexes import retriever, service
from flyball.indexes.errors import IndexFilesMissingError, IndexInvalidError, IndexNotBuiltError, IndexNotFoundError
from flyball.indexes.jobs import JOBS
from flyball.indexes.records import ChunkSettings, IndexDeclaration
from flyball.infra.context import Context
from flyball.infra.jobs.immediate import Immediate, run_immediately

MANUAL = """# Governor

The flyball governor keeps an engine at its speed. It measures the output and corrects the input.

## Maintenance

Oil the spindle weekly. Replace worn weights.

## Safety

Never touch the weights while they are spinning.
"""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "governor.md").write_text(MANUAL)
    (root / "boiler.txt").write_text("The boiler makes steam. Its valve opens when the pressure is too high.\n")
    (root / "folder.txt").write_text("Remove a directory only when it is empty.\n")
    return root


async def imported(ctx: Context, docs: Path) -> None:
    run = await datasets.import_later(ctx, "manual", Declaration(source="folder", location=str(docs)))
    await run_immediately(ctx, DATASET_JOBS[0], run.arguments)


async def built(ctx: Context, *, chunk: ChunkSettings | None = None, rebuild: bool = False, machinery=None) -> dict:
    declaration = IndexDeclaration(dataset="manual", chunk=chunk or ChunkSettings(size=200))
    run = await service.build_later(ctx, "manual", declaration, rebuild=rebuild)
    return await run_immediately(ctx, JOBS[0], run.arguments, run_id=run.id, machinery=machinery)


async def test_a_built_index_finds_the_passage_and_quotes_its_document(ctx, docs):
    await imported(ctx, docs)
    await built(ctx)

    best = (await service.search(ctx, "manual", "how often should the spindle be oiled?"))[0]
    assert best.title == "Governor"
    assert "Oil the spindle weekly." in best.text
    assert MANUAL[best.start : best.end] == best.text
    assert best.licence == "LicenseRef-unknown"


async def test_words_that_mean_the_same_find_each_other(ctx, docs):
    await imported(ctx, docs)
    await built(ctx)

    assert (await service.search(ctx, "manual", "delete folders"))[0].document_id == "folder.txt"


async def test_the_version_names_its_dataset_and_settings(ctx, docs):
    await imported(ctx, docs)
    result = await built(ctx)

    version = await service.get_version(ctx, "manual")
    dataset = await datasets.get_version(ctx, "manual")
    assert result["changed"]
    assert (version.dataset_version_id, version.dataset_hash) == (dataset.id, dataset.hash)
    assert version.documents == 3
    assert version.settings.chunk == ChunkSettings(size=200)
    assert version.settings.engine.startswith("lancedb ")


async def test_two_builds_of_the_same_at_once_make_one_version(ctx, docs):
    await imported(ctx, docs)
    runs = [await service.build_later(ctx, "manual", IndexDeclaration(dataset="manual")) for _ in range(2)]
    first, second = await asyncio.gather(*(run_immediately(ctx, JOBS[0], run.arguments, run_id=run.id) for run in runs))

    assert sorted([first["changed"], second["changed"]]) == [False, True]
    assert first["version_id"] == second["version_id"]
    assert [path.name for path in ctx.layout.indexes.iterdir()] == [first["version_id"]]
    assert not any((ctx.layout.staging).iterdir())


async def test_the_same_dataset_and_settings_make_no_new_version(ctx, docs):
    await imported(ctx, docs)
    await built(ctx)
    again = await built(ctx)

    assert not again["changed"]
    assert "nothing new: manual version 1" in again["message"]
    assert len(await service.list_versions(ctx, "manual")) == 1


async def test_other_settings_make_the_next_version_with_another_hash(ctx, docs):
    await imported(ctx, docs)
    first = await built(ctx)
    second = await built(ctx, chunk=ChunkSettings(size=2000))

    assert (second["version"], second["hash"] != first["hash"]) == (2, True)
    assert second["chunks"] < first["chunks"]


async def test_the_same_built_elsewhere_has_the_same_hash(ctx, docs):
    await imported(ctx, docs)
    first = await built(ctx)
    shutil.rmtree(ctx.layout.indexes)
    ctx.layout.create()
    run = await service.build_later(ctx, "other", IndexDeclaration(dataset="manual", chunk=ChunkSettings(size=200)))
    second = await run_immediately(ctx, JOBS[0], run.arguments)

    assert second["hash"] == first["hash"]


async def test_lost_files_are_named_and_a_build_makes_them_again_under_the_same_version(ctx, docs):
    await imported(ctx, docs)
    await built(ctx)
    version = await service.get_version(ctx, "manual")
    retriever.close(ctx.layout, version)
    shutil.rmtree(ctx.layout.indexes / version.id)

    with pytest.raises(IndexFilesMissingError, match="'manual' version 1 cannot be used") as caught:
        await service.search(ctx, "manual", "steam")
    assert caught.value.next_step.startswith("run `flyball index build manual --version 1`")
    again = await built(ctx)
    assert (again["changed"], again["version"]) == (False, 1)
    assert (await service.search(ctx, "manual", "steam"))[0].document_id == "boiler.txt"


async def test_the_lost_files_of_an_older_version_which_may_be_live_are_made_again_by_its_number(ctx, docs):
    await imported(ctx, docs)
    first = await built(ctx)
    (docs / "new.txt").write_text("A new document about pistons.")
    await imported(ctx, docs)
    assert (await built(ctx))["version"] == 2
    older = await service.get_version(ctx, "manual", 1)
    retriever.close(ctx.layout, older)
    shutil.rmtree(ctx.layout.indexes / older.id)

    run = await service.build_later(ctx, "manual", version=1)
    again = await run_immediately(ctx, JOBS[0], run.arguments, run_id=run.id)

    assert (again["version"], again["hash"], again["changed"]) == (1, first["hash"], False)
    assert (await service.search(ctx, "manual", "steam", version=1))[0].document_id == "boiler.txt"
    assert (await service.get_version(ctx, "manual")).version == 2
    assert not (ctx.layout.staging / older.id).exists()
    with pytest.raises(IndexNotBuiltError, match="no version 7"):
        await service.build_later(ctx, "manual", version=7)
    with pytest.raises(IndexInvalidError, match="made again as it was"):
        await service.build_later(ctx, "manual", IndexDeclaration(dataset="manual"), version=1)


async def test_damaged_files_are_named_too(ctx, docs):
    await imported(ctx, docs)
    await built(ctx)
    version = await service.get_version(ctx, "manual")
    retriever.close(ctx.layout, version)
    for path in (ctx.layout.indexes / version.id / "passages.lance" / "data").iterdir():
        path.write_bytes(b"not a table")

    with pytest.raises(IndexFilesMissingError):
        await service.search(ctx, "manual", "steam")


async def test_a_step_that_is_done_again_after_a_crash_makes_one_version(ctx, docs):
    class Repeating(Immediate):
        async def step(self, name, work, returns):
            result = await super().step(name, work, returns)
            return result if name in ("plan", "compare") else await work()

    await imported(ctx, docs)
    result = await built(ctx, machinery=Repeating())

    assert result["version"] == 1
    assert len(await service.list_versions(ctx, "manual")) == 1
    assert list(ctx.layout.staging.iterdir()) == []


async def test_the_same_question_always_has_the_same_answer(ctx, docs):
    await imported(ctx, docs)
    await built(ctx)
    found = [await service.search(ctx, "manual", "weights spinning valve directory") for _ in range(20)]

    assert all(passages == found[0] for passages in found)


async def test_the_best_passage_of_each_document_comes_before_further_ones(ctx, docs):
    await imported(ctx, docs)
    await built(ctx, chunk=ChunkSettings(size=200))
    found = await service.search(ctx, "manual", "weights spindle governor boiler", k=10)

    documents = [passage.document_id for passage in found]
    assert documents[:2] == ["governor.md", "boiler.txt"]
    assert "governor.md" in documents[2:]


@pytest.mark.parametrize(
    "query", ["the of and", "?!", "zzzz qqqq", '"quoted" AND (col:x OR y*) ~2', "\0\ud800x", "é" * 5000]
)
async def test_a_question_without_known_words_finds_nothing_or_something_but_never_fails(ctx, docs, query):
    await imported(ctx, docs)
    await built(ctx)

    assert isinstance(await service.search(ctx, "manual", query), list)


async def test_what_cannot_be_searched_says_what_to_do(ctx, docs):
    await imported(ctx, docs)
    with pytest.raises(IndexNotFoundError, match="no index named 'nothing'"):
        await service.search(ctx, "nothing", "x")
    await service.build_later(ctx, "manual", IndexDeclaration(dataset="manual"))
    with pytest.raises(IndexNotBuiltError, match="has not been built"):
        await service.search(ctx, "manual", "x")
    await built(ctx)
    with pytest.raises(IndexInvalidError, match="k = 0"):
        await service.search(ctx, "manual", "x", k=0)
    with pytest.raises(IndexInvalidError, match="empty question"):
        await service.search(ctx, "manual", "  ")


async def test_a_dataset_of_rows_cannot_be_indexed(ctx, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a"}\n')
    run = await datasets.import_later(ctx, "rows", Declaration(source="jsonl", location=str(path)))
    await run_immediately(ctx, DATASET_JOBS[0], run.arguments)
    run = await service.build_later(ctx, "rows", IndexDeclaration(dataset="rows"))

    with pytest.raises(IndexInvalidError, match="'rows' holds rows, not documents"):
        await run_immediately(ctx, JOBS[0], run.arguments)
