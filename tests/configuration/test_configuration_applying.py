"""diff, apply, export: one transaction, idempotent, and an export applies to nothing."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from flyball.audit import service as audit
from flyball.audit.verifying import verify
from flyball.configuration import service
from flyball.configuration.bundling import bundle
from flyball.configuration.errors import ConfigurationError, ExportError
from flyball.configuration.records import Bundle
from flyball.datasets import service as datasets
from flyball.evaluations import service as evaluations
from flyball.functions import service as functions
from flyball.functions.errors import CodeNotAllowedError
from flyball.infra.blobs.store import Blobs
from flyball.infra.context import Actor
from flyball.infra.db.database import Database, fetch_one
from flyball.infra.events import SNAPSHOT
from flyball.models import service as models
from flyball.prompts import service as prompts
from flyball.surface.http.errors import PermissionMissingError


def actions(changes):
    return {(change.kind, change.name): change.action for change in changes.items}


async def test_diff_tells_what_would_be_made_and_makes_nothing(ctx, folder):
    changes = await service.diff(ctx, bundle(folder))

    assert set(actions(changes).values()) == {"create"}
    assert len(changes.items) == 10
    assert await functions.list_functions(ctx) == ()


async def test_apply_makes_everything(ctx, folder):
    await service.apply(ctx, bundle(folder))

    assert (await models.get_model(ctx, "fast")).spec.licence == "proprietary"
    assert (await prompts.get_prompt(ctx, "ask")).path == "prompts/ask.md"
    assert set((await functions.get_function(ctx, "ask")).spec.variants) == {"best", "big"}
    assert (await datasets.get_dataset(ctx, "docs")).declaration.source == "stdlib"
    assert (await evaluations.get_evaluation(ctx, "ask-quality")).spec.scorers == ("hit_at_1", "reciprocal_rank")


async def test_applying_twice_changes_nothing_and_leaves_no_second_audit_event(ctx, folder):
    await service.apply(ctx, bundle(folder))
    events = (await audit.list_events(ctx)).items

    again = await service.apply(ctx, bundle(folder))

    assert set(actions(again).values()) == {"unchanged"}
    assert (await audit.list_events(ctx)).items == events
    assert len(events) == 10
    assert (await verify(ctx)).ok


async def test_a_change_is_told_with_its_text_and_makes_one_new_version(ctx, folder):
    await service.apply(ctx, bundle(folder))
    (folder / "prompts" / "ask.md").write_text("---\nvariables: [question]\n---\n--- user\nPlease: {{ question }}\n")

    changes = await service.apply(ctx, bundle(folder))

    changed = [change for change in changes.items if change.action != "unchanged"]
    assert [(change.kind, change.action) for change in changed] == [("prompt", "update")]
    assert "+Please: {{ question }}" in changed[0].detail
    assert (await prompts.get_prompt(ctx, "ask")).version == 2
    assert (await functions.get_function(ctx, "ask")).version == 1


async def test_changed_code_makes_a_new_version_of_the_function(ctx, folder):
    await service.apply(ctx, bundle(folder))
    (folder / "ask_rules.py").write_text("def best(input, tools):\n    return 'y'\n")

    changes = await service.apply(ctx, bundle(folder))

    assert actions(changes)["function", "ask"] == "update"
    assert (await functions.get_function(ctx, "ask")).version == 2


async def test_what_the_file_does_not_mention_stays(ctx, folder):
    await service.apply(ctx, bundle(folder))

    changes = await service.apply(ctx, Bundle(text="project: default\n"))

    assert set(actions(changes).values()) == {"kept"}
    assert (await models.get_model(ctx, "fast")).version == 1


async def test_an_export_applies_to_nothing_and_exports_to_itself(ctx, folder, tmp_path):
    await service.apply(ctx, bundle(folder))
    exported = await service.export(ctx)
    elsewhere = write(exported, tmp_path / "elsewhere")

    changes = await service.apply(ctx, bundle(elsewhere))

    assert set(actions(changes).values()) == {"unchanged"}
    assert await service.export(ctx) == exported
    assert set(exported.files) == {"prompts/ask.md", "ask_rules.py", "data/questions.jsonl"}


async def test_an_export_makes_the_same_on_another_flyball(ctx, folder, tmp_path, empty_database_url):
    from flyball.infra.db.migrate import migrate

    await service.apply(ctx, bundle(folder))
    exported = await service.export(ctx)
    database = Database(empty_database_url, most=2)
    await database.open()
    await migrate(database)
    other = _elsewhere(ctx, database, tmp_path)

    await service.apply(other, bundle(write(exported, tmp_path / "elsewhere")))
    again = await service.export(other)
    await database.close()

    assert again == exported


async def test_it_is_all_or_nothing(ctx, folder, monkeypatch):
    async def breaks(*_):
        raise RuntimeError("pulled the plug")

    monkeypatch.setattr(evaluations, "declare", breaks)
    with pytest.raises(RuntimeError):
        await service.apply(ctx, bundle(folder))

    assert await functions.list_functions(ctx) == ()
    assert await models.list_models(ctx) == ()
    assert (await audit.list_events(ctx)).items == ()


async def test_two_applies_at_once_make_one_version(ctx, folder):
    made = bundle(folder)

    results = await asyncio.gather(*(service.apply(ctx, made) for _ in range(4)))

    assert sorted(actions(result)["function", "ask"] for result in results) == [
        "create",
        "unchanged",
        "unchanged",
        "unchanged",
    ]
    assert (await functions.get_function(ctx, "ask")).version == 1


async def test_the_gateway_is_told_when_something_changed_and_only_then(ctx, folder):
    async with ctx.db.connection() as connection:
        await connection.execute(f"listen {SNAPSHOT}")
        await service.apply(ctx, bundle(folder))
        told = [note async for note in connection.notifies(timeout=0.3)]
        await service.apply(ctx, bundle(folder))
        again = [note async for note in connection.notifies(timeout=0.3)]
        await connection.execute("unlisten *")

    assert told
    assert not again


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "prompt: ask",
            "prompt: aks",
            "flyball.yaml:17:9: functions.ask.variants.big.prompt: there is no prompt named 'aks'; did you mean 'ask'?",
        ),
        (
            "model: fast",
            "model: slow",
            "functions.ask.variants.big.model: there is no model named 'slow' (there are: fast)",
        ),
        (
            "{index: docs}",
            "{index: dcos}",
            "functions.ask.variants.big.retrieval.index: there is no index named 'dcos'; did you mean 'docs'?",
        ),
        ("dataset: docs,", "dataset: none,", "indexes.docs.dataset: there is no dataset named 'none'"),
        ("function: ask", "function: aks", "evaluations.ask-quality.function: there is no function named 'aks'"),
        (
            "dataset: questions",
            "dataset: question",
            "evaluations.ask-quality.dataset: there is no dataset named 'question'",
        ),
        ("baseline: best", "baseline: bset", "evaluations.ask-quality.baseline: there is no variant named 'bset'"),
        ("[hit_at_1, mrr]", "[hit_at_0]", "there is no scorer named 'hit_at_0'"),
        ("        retrieval: {index: docs}\n", "", "the prompt 'ask' needs 'passages', and the variant retrieves none"),
        ("{question: {type: string}}", "{q: {type: string}, question: {type: integer}}", "not exactly one text field"),
        (
            "properties: {question:",
            "properties: {query:",
            "needs 'question', which is no field of the function's input (query)",
        ),
        ("  fast:", "  ask:", "models.ask: there is a function of this name"),
        ("project: default", "project: other", "flyball.yaml:1:1: project: there is no project 'other'"),
        ("{index: docs}", "{index: docs, query: q}", "retrieval.query: there is no input field named 'q'"),
    ],
)
async def test_a_name_that_leads_nowhere_is_told_with_its_place(ctx, edited, old, new, told):
    with pytest.raises(ConfigurationError) as caught:
        await service.diff(ctx, edited(old, new))

    assert told in str(caught.value)


async def test_names_of_what_is_there_already_count(ctx, folder):
    await service.apply(ctx, bundle(folder))
    text = "functions:\n  two:\n    input: {type: object, properties: {question: {type: string}}}\n    variants:\n      a: {kind: prompt, prompt: ask, model: fast, retrieval: {index: docs}}\n"

    changes = await service.apply(ctx, Bundle(text=text))

    assert actions(changes)["function", "two"] == "create"


async def test_who_may_not_do_everything_may_bring_no_code_and_no_path(ctx, folder):
    may = frozenset({"configuration.write", "functions.write", "datasets.write"})
    developer = ctx.acting_as(Actor(id="key_1", kind="key", name="ci", permissions=may))

    with pytest.raises(CodeNotAllowedError):
        await service.apply(developer, Bundle(text=RULES, files={"m.py": "def f(i, t): ..."}))
    with pytest.raises(Exception, match="/etc") as caught:
        await service.apply(developer, Bundle(text="datasets:\n  a: {import: /etc}\n"))

    assert caught.value.status == 403
    assert await functions.list_functions(ctx) == ()


async def test_applying_needs_the_permission_of_every_kind_that_would_change(ctx, folder):
    clerk = ctx.acting_as(Actor(id="key_1", kind="key", name="ci", permissions=frozenset({"configuration.write"})))

    with pytest.raises(PermissionMissingError, match="write"):
        await service.apply(clerk, bundle(folder))

    assert await functions.list_functions(ctx) == ()
    await service.apply(ctx, bundle(folder))
    assert not (await service.apply(clerk, bundle(folder))).differs  # nothing would change, and nothing is asked


async def test_a_disk_that_cannot_keep_the_code_changes_nothing(ctx, folder, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Blobs, "put", full)
    with pytest.raises(OSError, match="No space"):
        await service.apply(ctx, bundle(folder))

    assert await functions.list_functions(ctx) == ()


async def test_two_modules_of_one_name_cannot_be_one_file(ctx):
    await service.apply(ctx, Bundle(text=RULES, files={"m.py": "def f(i, t): return 'a'"}))
    await service.apply(ctx, Bundle(text=RULES.replace("one:", "two:"), files={"m.py": "def f(i, t): return 'b'"}))

    with pytest.raises(ExportError, match=r"'two' and something else are both the file m\.py"):
        await service.export(ctx)


async def test_no_secret_of_the_environment_is_exported(ctx, folder, monkeypatch):
    monkeypatch.setenv("MOCK_KEY", "sk-very-secret")
    await service.apply(ctx, bundle(folder))

    exported = await service.export(ctx)

    assert "env:MOCK_KEY" in exported.text
    assert "sk-very-secret" not in msgspec.json.encode(exported).decode()


async def test_the_captured_rows_can_be_imported_later(ctx, folder):
    await service.apply(ctx, bundle(folder))
    location = (await datasets.get_dataset(ctx, "questions")).declaration.location

    assert ctx.blobs.get(location.removeprefix("blob:")) == (folder / "questions.jsonl").read_bytes()
    async with ctx.db.connection() as connection:
        row = await fetch_one(connection, "select count(*) as n from datasets")
    assert row["n"] == 3


RULES = "functions:\n  one:\n    input: {type: object}\n    variants:\n      a: {kind: rules, code: 'm:f'}\n"


def write(exported, folder: Path) -> Path:
    for name, text in {"flyball.yaml": exported.text, **exported.files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


def _elsewhere(ctx, database, tmp_path):
    import dataclasses

    return dataclasses.replace(ctx, db=database, blobs=Blobs((tmp_path / "blobs").as_uri()))


async def test_an_export_leaves_out_and_a_diff_refuses_what_the_caller_may_not_read(ctx, folder):
    await service.apply(ctx, bundle(folder))
    rights = frozenset({"configuration.read", "models.read"})
    narrow = ctx.acting_as(Actor(id="key_1", kind="key", name="cfg", permissions=rights))

    exported = await service.export(narrow)

    assert exported.files == {}
    assert "fast:" in exported.text
    assert "variants:" not in exported.text
    assert "may not read them: prompts, functions, datasets, indexes, evaluations" in exported.text
    with pytest.raises(PermissionMissingError, match=r"\.read"):
        await service.diff(narrow, bundle(folder))
