"""The documentation of the standard library: what is in it, under which names, the same each time, without side effects."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from flyball.datasets import collecting, staging
from flyball.datasets.records import Declaration
from flyball.datasets.sources.stdlib.modules import LEFT_OUT


async def _silent(rows: int) -> None:
    del rows


async def staged(folder: Path) -> staging.Manifest:
    return await collecting.collect(Declaration(source="stdlib"), folder, _silent)


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> dict[str, dict]:
    import asyncio

    folder = tmp_path_factory.mktemp("stdlib") / "stage"
    manifest = asyncio.run(staged(folder))
    rows = [row for number in range(manifest.batches) for row in staging.read_batch(folder, number).to_pylist()]
    return {row["title"]: {**row, "data": msgspec.json.decode(row["data"])} for row in rows}


async def test_the_same_interpreter_gives_the_same_documents(tmp_path):
    first, second = await staged(tmp_path / "a"), await staged(tmp_path / "b")

    assert first.hash == second.hash
    assert first.rows > 5000
    assert first.licences == {"PSF-2.0": first.rows}
    assert first.card.facts["interpreter"].endswith(".".join(map(str, sys.version_info[:3])))


async def test_what_is_left_out_is_listed_with_the_reason(tmp_path):
    manifest = await staged(tmp_path / "stage")

    left_out = {r.location: r.detail for r in manifest.card.refusals if r.reason == "left-out"}
    assert left_out["antigravity"] == "opens a browser when imported"
    assert left_out.keys() <= LEFT_OUT.keys()


@pytest.mark.parametrize(
    ("title", "alias"),
    [
        ("asyncio.gather", "asyncio.tasks.gather"),
        ("unittest.TestCase", "unittest.case.TestCase"),
        ("concurrent.futures.ThreadPoolExecutor", "concurrent.futures.thread.ThreadPoolExecutor"),
        ("open", "io.open"),
        ("json.JSONDecoder", "json.decoder.JSONDecoder"),
    ],
)
def test_an_object_is_known_by_the_name_that_a_programmer_writes(documents, title, alias):
    assert alias in documents[title]["data"]["aliases"]
    assert alias not in documents


@pytest.mark.parametrize(
    "title",
    [
        "argparse.ArgumentParser.add_argument",  # inherited from a class without a public name
        "collections.Counter.most_common",
        "datetime.date.fromisoformat",
        "os.path.join",
        "random.shuffle",  # a method of a hidden instance
        "socket.socket.connect",  # of the implementation below the public class
        "str.partition",
        "json",
        "pathlib.PurePath.name",
    ],
)
def test_modules_classes_functions_methods_and_properties_are_documents(documents, title):
    assert documents[title]["text"].strip()


def test_a_document_begins_with_its_signature_and_says_where_it_is_defined(documents):
    dumps = documents["json.dumps"]

    version = ".".join(map(str, sys.version_info[:3]))
    assert dumps["text"].startswith("json.dumps(obj, *, skipkeys=False,")
    assert dumps["source"].startswith(f"python-{version}/json/__init__.py:")
    line = int(dumps["source"].rpartition(":")[2])
    lines = Path(msgspec.__file__ and __import__("json").__file__).read_text().splitlines()
    assert lines[line - 1].startswith("def dumps(")


def test_no_document_depends_on_this_process(documents):
    assert not [title for title, row in documents.items() if " at 0x" in row["text"]]


def test_the_methods_of_str_carry_the_language_reference(documents):
    assert "3-tuple containing the part before the separator" in documents["str.partition"]["text"]


def test_the_collector_refuses_to_talk_or_to_start_programs():
    code = (
        "import socket, sys; from flyball.datasets.collector import _refuse_side_effects as f\n"
        "sys.addaudithook(f)\n"
        "try: socket.create_connection(('127.0.0.1', 9))\n"
        "except PermissionError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout == "socket.connect while reading documentation\n"
