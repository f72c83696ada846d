"""Importing: a folder, a file of rows, the same again, what is refused, what is kept once."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from flyball.datasets import collecting, service
from flyball.datasets.errors import (
    CapturedBytesError,
    CollectorError,
    DatasetKindError,
    DatasetNameError,
    EmptyDatasetError,
    LocalPathError,
    NotDeclaredError,
    SourceNotFoundError,
)
from flyball.datasets.jobs import JOBS
from flyball.datasets.records import Declaration
from flyball.infra.context import Actor, Context
from flyball.infra.jobs.immediate import Immediate, run_immediately
from flyball.infra.lake.errors import LakeAwayError
from flyball.kit.hashing import bytes_hash


async def imported(ctx: Context, name: str, declaration: Declaration, machinery: Immediate | None = None) -> dict:
    run = await service.import_later(ctx, name, declaration)
    return await run_immediately(ctx, JOBS[0], run.arguments, run_id=run.id, machinery=machinery)


def folder(path: Path) -> Declaration:
    return Declaration(source="folder", location=str(path), licence="CC-BY-4.0")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    (root / "guide").mkdir(parents=True)
    (root / "guide" / "intro.md").write_text("# Getting started\n\nInstall it, then start it.\n")
    (root / "notes.txt").write_text("A note on governors.\n")
    (root / "page.html").write_text(
        "<html><head><title>A page</title></head><body><h1>Wheel</h1><p>It turns.</p></body>"
    )
    return root


async def test_a_folder_becomes_a_version_with_a_row_per_file(ctx, docs):
    result = await imported(ctx, "manual", folder(docs))

    version = await service.get_version(ctx, "manual")
    rows = await service.read_rows(ctx, version)
    assert result["changed"]
    assert (version.version, version.rows, version.licences) == (1, 3, {"CC-BY-4.0": 3})
    assert [(row.row_id, row.title) for row in rows] == [
        ("notes.txt", "notes"),
        ("page.html", "A page"),
        ("guide/intro.md", "Getting started"),
    ]
    assert rows[2].text == "# Getting started\n\nInstall it, then start it.\n"
    assert all(row.document_hash == bytes_hash(row.text.encode()) for row in rows)
    assert rows[2].data["file_hash"] == bytes_hash((docs / "guide" / "intro.md").read_bytes())


async def test_the_same_content_again_makes_no_version_and_says_so(ctx, docs, tmp_path):
    first = await imported(ctx, "manual", folder(docs))
    moved = tmp_path / "elsewhere"
    docs.rename(moved)
    again = await imported(ctx, "manual", folder(moved))

    assert not again["changed"]
    assert (again["version"], again["hash"]) == (1, first["hash"])
    assert "nothing new: manual version 1 has exactly this content" in again["message"]
    assert len(await service.list_versions(ctx, "manual")) == 1
    assert list(ctx.layout.staging.iterdir()) == []


async def test_two_imports_of_the_same_at_once_make_one_version(ctx, docs):
    runs = [await service.import_later(ctx, "manual", folder(docs)) for _ in range(2)]
    first, second = await asyncio.gather(*(run_immediately(ctx, JOBS[0], run.arguments, run_id=run.id) for run in runs))

    assert sorted([first["changed"], second["changed"]]) == [False, True]
    assert first["version_id"] == second["version_id"]
    assert len(await service.list_versions(ctx, "manual")) == 1
    assert list(ctx.layout.staging.iterdir()) == []


async def test_a_collector_that_was_killed_is_started_again_and_given_up_when_it_is_killed_each_time(
    ctx, docs, monkeypatch
):
    really, killed = collecting._run, 0

    async def run(order, progress):
        nonlocal killed
        if killed < times:
            killed += 1
            return -signal.SIGKILL, b""
        return await really(order, progress)

    monkeypatch.setattr(collecting, "_run", run)
    times = 2
    assert (await imported(ctx, "manual", folder(docs)))["rows"] == 3

    killed, times = 0, 100
    with pytest.raises(CollectorError, match="status -9"):
        await imported(ctx, "again", folder(docs))
    assert killed == 3


async def test_an_import_that_fails_leaves_nothing_behind(ctx, docs, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise LakeAwayError("the table dataset_rows cannot be written: no space left on device")

    monkeypatch.setattr(ctx.lake, "append", full)

    with pytest.raises(LakeAwayError):
        await imported(ctx, "manual", folder(docs))

    assert list(ctx.layout.staging.iterdir()) == []


async def test_changed_content_makes_the_next_version_and_the_old_one_stays(ctx, docs):
    await imported(ctx, "manual", folder(docs))
    (docs / "notes.txt").write_text("Another note.\n")
    await imported(ctx, "manual", folder(docs))

    old, new = await service.get_version(ctx, "manual", 1), await service.get_version(ctx, "manual")
    assert new.version == 2
    assert old.hash != new.hash
    assert (await service.read_rows(ctx, old))[0].text == "A note on governors.\n"
    assert (await service.read_rows(ctx, new))[0].text == "Another note.\n"


async def test_every_file_that_cannot_be_read_is_listed_with_its_reason_and_the_rest_is_imported(ctx, docs):
    (docs / "empty.txt").write_text("")
    (docs / "blank.md").write_text(" \n \n")
    (docs / "latin.txt").write_bytes("café".encode("latin-1"))
    (docs / "zeros.txt").write_bytes(b"abc\0def")
    (docs / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (docs / "scripted.html").write_text("<body><script>draw()</script></body>")
    (docs / ".git").mkdir()
    (docs / "loop").symlink_to(docs)
    (docs / "itself").symlink_to(docs / "itself")
    (docs / "gone.txt").symlink_to(docs / "nowhere.txt")
    (docs / "passwd.txt").symlink_to("/etc/passwd")
    os.mkfifo(docs / "pipe.txt")
    with (docs / "enormous.txt").open("wb") as file:
        file.truncate(40 * 1024 * 1024)
    result = await imported(ctx, "manual", folder(docs))

    card = (await service.get_version(ctx, "manual")).card
    reasons = {refusal.location: refusal.reason for refusal in card.refusals}
    assert result["rows"] == 3
    assert card.refused == result["refused"] == 14
    assert reasons == {
        ".git": "hidden",
        "blank.md": "empty",
        "broken.pdf": "broken-pdf",
        "empty.txt": "empty",
        "enormous.txt": "too-large",
        "gone.txt": "broken-link",
        "itself": "link-loop",
        "latin.txt": "not-utf-8",
        "loop": "link-loop",
        "passwd.txt": "link-outside",
        "photo.jpg": "unsupported",
        "pipe.txt": "not-a-file",
        "scripted.html": "no-text",
        "zeros.txt": "binary",
    }
    details = {refusal.location: refusal.detail for refusal in card.refusals}
    assert details["latin.txt"] == "byte 3 (0xe9) is not UTF-8: convert the file"
    assert details["enormous.txt"] == "41,943,040 bytes, more than 33,554,432: split the file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
async def test_a_file_without_permission_is_listed(ctx, docs):
    (docs / "secret.txt").write_text("x")
    (docs / "secret.txt").chmod(0)
    await imported(ctx, "manual", folder(docs))

    card = (await service.get_version(ctx, "manual")).card
    assert [(refusal.location, refusal.reason) for refusal in card.refusals] == [("secret.txt", "unreadable")]


async def test_duplicate_content_is_kept_once_with_both_locations(ctx, docs):
    (docs / "guide" / "copy.txt").write_text("A note on governors.\n")
    result = await imported(ctx, "manual", folder(docs))

    version = await service.get_version(ctx, "manual")
    row = await service.get_row(ctx, version, "notes.txt")
    assert result["duplicates"] == 1
    assert row.locations == ("notes.txt", "guide/copy.txt")
    assert version.rows == 3
    assert version.card.duplicated[0].locations == ("guide/copy.txt",)


async def test_rows_come_from_json_lines_and_keep_their_ids_splits_and_licences(ctx, tmp_path):
    lines = [
        {"id": "q1", "question": "What turns?", "expected": ["wheel"], "split": "test", "licence": "CC0-1.0"},
        {"question": "No id here", "number": 12345678901234567890123},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text(
        "\n".join(json.dumps(line) for line in lines) + "\n\nnot json\n[1]\n" + '{"id": "q1", "other": 1}\n'
    )
    await imported(ctx, "questions", Declaration(source="jsonl", location=str(path), licence="Apache-2.0"))

    version = await service.get_version(ctx, "questions")
    first, second = await service.read_rows(ctx, version)
    assert (first.row_id, first.split, first.licence, first.text) == ("q1", "test", "CC0-1.0", "What turns?")
    assert first.data == lines[0]
    assert second.data["number"] == pytest.approx(12345678901234567890123)
    assert second.row_id.startswith("row-")
    assert version.splits == {"all": 1, "test": 1}
    assert version.licences == {"Apache-2.0": 1, "CC0-1.0": 1}
    assert [(r.location, r.reason) for r in version.card.refusals] == [
        ("line 4", "not-json"),
        ("line 5", "not-an-object"),
        ("line 6", "duplicate-id"),
    ]


async def test_a_captured_file_is_imported_from_its_blob(ctx):
    hash_ = ctx.blobs.put(b'{"id": "a", "text": "one"}\n')
    captured = Declaration(source="jsonl", location=f"blob:{hash_}")
    async with ctx.db.transaction() as connection:
        await service.declare(connection, ctx, "captured", captured)
    result = await imported(ctx, "captured", captured)

    assert result["rows"] == 1
    assert list(ctx.layout.staging.iterdir()) == []


async def test_a_folder_without_anything_to_read_is_an_error_that_names_the_first_refusals(ctx, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")

    with pytest.raises(EmptyDatasetError, match=r"1 refused, such as photo.jpg: unsupported") as caught:
        await imported(ctx, "manual", folder(tmp_path))
    assert "give a folder" in caught.value.next_step
    assert list(ctx.layout.staging.iterdir()) == []


async def test_an_empty_folder_is_an_error(ctx, tmp_path):
    with pytest.raises(EmptyDatasetError, match="there is nothing in it"):
        await imported(ctx, "manual", folder(tmp_path))


async def test_a_folder_that_is_not_there_is_an_error_that_names_it(ctx):
    with pytest.raises(SourceNotFoundError, match="'/no/such/folder' is not there"):
        await imported(ctx, "manual", folder(Path("/no/such/folder")))


async def test_a_relative_path_is_refused_before_a_run_is_queued(ctx):
    with pytest.raises(SourceNotFoundError, match="not an absolute path"):
        await service.import_later(ctx, "manual", Declaration(source="folder", location="docs"))


async def test_a_dataset_keeps_its_kind(ctx, docs):
    await imported(ctx, "manual", folder(docs))

    with pytest.raises(DatasetKindError, match="'manual' holds documents, not rows"):
        await service.import_later(ctx, "manual", Declaration(source="jsonl", location="/x.jsonl"))


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "../x", "x" * 81, "é"])
async def test_a_name_that_cannot_be_an_address_is_refused(ctx, name):
    with pytest.raises(DatasetNameError):
        await service.import_later(ctx, name, Declaration(source="stdlib"))


async def test_a_key_may_not_have_files_of_the_machine_read(ctx):
    key = ctx.acting_as(Actor(id="key_1", kind="key", name="app", permissions=frozenset({"datasets.write"})))

    with pytest.raises(LocalPathError, match="/etc"):
        await service.import_later(key, "manual", folder(Path("/etc")))


@pytest.mark.parametrize("declared", ["", "blob:sha256:" + "0" * 64])
async def test_whoever_knows_a_hash_alone_imports_nothing_by_it(ctx, declared):
    theirs = ctx.blobs.put(b'{"id": "a", "text": "of another project"}\n')
    if declared:
        async with ctx.db.transaction() as connection:
            await service.declare(connection, ctx, "mine", Declaration(source="jsonl", location=declared))

    with pytest.raises(CapturedBytesError, match="'mine' is not declared with blob:sha256:"):
        await service.import_later(ctx, "mine", Declaration(source="jsonl", location=f"blob:{theirs}"))


async def test_an_import_without_a_source_takes_the_declared_one(ctx, docs):
    async with ctx.db.transaction() as connection:
        await service.declare(connection, ctx, "manual", folder(docs))
    run = await service.import_later(ctx, "manual")

    assert run.arguments["source"]["location"] == str(docs)
    with pytest.raises(NotDeclaredError, match="'other' declares no source"):
        await service.import_later(ctx, "other")


async def test_a_step_that_is_done_again_after_a_crash_doubles_nothing(ctx, docs):
    class Repeating(Immediate):
        async def step(self, name, work, returns):
            await super().step(name, work, returns)
            return await super().step(f"{name} again", work, returns) if name != "name the version" else await work()

    machinery = Repeating()
    await imported(ctx, "manual", folder(docs), machinery)

    version = await service.get_version(ctx, "manual")
    assert "append batch 0 again" in machinery.steps
    assert (version.version, len(await service.read_rows(ctx, version))) == (1, 3)
