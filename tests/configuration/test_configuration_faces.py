"""The commands and the HTTP API of configuration, models, prompts and functions."""

import asyncio
import subprocess
import sys

import msgspec
import pytest
from typer.testing import CliRunner

from flyball.configuration import cli, service
from flyball.configuration.bundling import bundle
from flyball.functions import cli as functions_cli
from flyball.kit.errors import FlyballError
from flyball.models import cli as models_cli
from flyball.prompts import cli as prompts_cli


@pytest.fixture
def commands(admin, monkeypatch):
    """Run a command against the application, as if through the admin socket."""

    class Client:
        def __init__(self, loop):
            self.loop = loop

        def get(self, path, **query):
            asked = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
            return self.wait(admin.get(path + (f"?{asked}" if asked else "")))

        def post(self, path, body=None, timeout=60):
            return self.wait(admin.post(path, json=msgspec.to_builtins(body)), timeout)

        def wait(self, coroutine, timeout=30):
            answer = asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)
            if answer.status >= 400:
                told = answer.json()["error"]
                error = FlyballError(told["message"], next_step=told["next_step"])
                error.status = answer.status
                raise error
            return answer.json()

    async def run(app, *arguments):
        client = Client(asyncio.get_running_loop())
        for module in (cli, models_cli, prompts_cli, functions_cli):
            monkeypatch.setattr(module, "control", lambda: client)
        return await asyncio.to_thread(CliRunner().invoke, app, [str(argument) for argument in arguments])

    return run


async def test_diff_then_apply_then_nothing_differs(commands, folder):
    before = await commands(cli.verbs, "diff", folder)
    applied = await commands(cli.verbs, "apply", folder)
    after = await commands(cli.verbs, "diff", folder)

    assert "create function ask" in before.stdout
    assert "10 to change: `flyball apply" in before.stdout
    assert applied.exit_code == 0
    assert "next: flyball datasets import declared --name docs" in applied.stdout
    assert after.stdout.strip() == "Nothing differs."


async def test_a_mistake_ends_with_exit_code_2_and_its_place_on_standard_error(commands, edited, folder):
    edited("prompt: ask", "prompt: aks")

    result = await commands(cli.verbs, "apply", folder)

    assert result.exit_code == 2
    assert "error: flyball.yaml:17:9: functions.ask.variants.big.prompt" in result.stderr
    assert "next:" in result.stderr


async def test_export_writes_files_and_refuses_to_overwrite_others(commands, folder, tmp_path):
    await commands(cli.verbs, "apply", folder)
    elsewhere = tmp_path / "elsewhere"

    written = await commands(cli.verbs, "export", elsewhere)
    again = await commands(cli.verbs, "export", elsewhere)
    (elsewhere / "ask_rules.py").write_text("mine")
    refused = await commands(cli.verbs, "export", elsewhere)
    forced = await commands(cli.verbs, "export", elsewhere, "--force")
    printed = await commands(cli.verbs, "export")

    assert (written.exit_code, again.exit_code, refused.exit_code, forced.exit_code) == (0, 0, 8, 0)
    assert "ask_rules.py already, with other contents" in refused.stderr
    assert (elsewhere / "flyball.yaml").read_text() == printed.stdout
    assert (elsewhere / "ask_rules.py").read_text() == (folder / "ask_rules.py").read_text()


async def test_an_export_of_a_strange_server_writes_nothing_outside(commands, folder, tmp_path, monkeypatch):
    class Strange:
        def get(self, _path):
            return {"text": "", "files": {"../escaped.txt": "x"}}

    monkeypatch.setattr(cli, "control", Strange)
    result = await asyncio.to_thread(CliRunner().invoke, cli.verbs, ["export", str(tmp_path / "new")])

    assert result.exit_code == 8
    assert not (tmp_path / "escaped.txt").exists()


async def test_the_nouns_are_listed_and_shown(commands, folder):
    await commands(cli.verbs, "apply", folder)

    for app, name, shown in (
        (models_cli.app, "fast", "MOCK_KEY is not set"),
        (prompts_cli.app, "ask", "{{ question }}"),
        (functions_cli.app, "ask", "flyball index build docs"),
    ):
        listed = await commands(app, "list")
        one = await commands(app, "show", name)
        as_json = await commands(app, "show", name, "--json")
        versions = await commands(app, "versions", name)
        unknown = await commands(app, "show", "nope")

        assert name in listed.stdout
        assert shown in one.stdout
        assert msgspec.json.decode(as_json.stdout)
        assert (versions.exit_code, unknown.exit_code) == (0, 7)
    assert "None was pinned yet" in (await commands(functions_cli.app, "variants", "ask")).stdout


async def test_an_empty_project_is_told_what_to_do(commands):
    for app in (models_cli.app, prompts_cli.app, functions_cli.app):
        assert "flyball apply" in (await commands(app, "list")).stdout


async def test_the_api_answers_with_records(ctx, admin, folder):
    await service.apply(ctx, bundle(folder))

    function = (await admin.get("/api/functions/ask")).json()
    model = (await admin.get("/api/models/fast")).json()
    prompt = (await admin.get("/api/prompts/ask?version=1")).json()
    missing = await admin.get("/api/models/a/b")

    assert [variant["name"] for variant in function["variants"]] == ["best", "big"]
    assert function["live"] is None
    assert model["unavailable_reason"] == "the model 'fast' is not configured: MOCK_KEY is not set"
    assert prompt["variables"] == {"question": "", "passages": ""}
    assert (missing.status, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_misspelt_field_of_a_body_is_refused(admin):
    answer = await admin.post("/api/configuration/diff", json={"txt": "project: default"})

    assert answer.status == 400


def test_the_commands_need_nothing_of_the_server():
    heavy = (
        "psycopg",
        "fastapi",
        "starlette",
        "jinja2",
        "pyarrow",
        "lancedb",
        "duckdb",
        "dbos",
        "jsonschema",
        "fsspec",
    )
    code = f"import sys, flyball.configuration.cli, flyball.models.cli, flyball.prompts.cli, flyball.functions.cli; print([name for name in {heavy!r} if name in sys.modules])"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
