"""The table of commands: each loads, says the same as its row, takes the common options, and starts quickly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.testing import CliRunner

from flyball import cli
from flyball.cli.commands import COMMANDS, Entry, load, load_all, load_server_part
from flyball.cli.errors import MissingExtraError
from flyball.cli.root import app, options_last
from flyball.surface.console.exits import EXITS, ExitCode


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_row_loads_and_has_its_sentence(entry: Entry):
    command = load(entry)

    assert (command.help or "").splitlines()[0].rstrip(".;").startswith(entry.help.rstrip("."))


def test_every_command_takes_the_common_options():
    for name, command in load_all().items():
        leaves = command.commands.values() if isinstance(command, TyperGroup) else [command]
        for leaf in leaves:
            options = {option for parameter in leaf.params for option in parameter.opts}
            assert {"--json", "--data", "--server", "--key"} <= options, f"{name} {leaf.name}"


def test_no_command_has_more_than_eight_options_of_its_own():
    for name, command in load_all().items():
        for leaf in command.commands.values() if isinstance(command, TyperGroup) else [command]:
            own = [getattr(each, "rich_help_panel", None) or each.name for each in leaf.params]
            assert len(set(own)) - 1 <= 8, (
                f"{name} {leaf.name}: {own}"
            )  # a group of options is one; so are the five of all


def test_help_lists_every_command_without_loading_one():
    code = (
        "import sys; from flyball.cli.root import app\n"
        "try: app(['--help'], prog_name='flyball')\n"
        "except SystemExit: pass\n"
        "sys.exit([m for m in sys.modules if m.endswith('.cli') and m.startswith('flyball.') and m != 'flyball.cli'] != [])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert [entry.name for entry in COMMANDS if f" {entry.name} " not in done.stdout] == []


def test_an_unknown_command_suggests_the_nearest():
    answer = CliRunner().invoke(app, ["key"])

    assert answer.exit_code == 2
    assert "Did you mean 'keys'?" in answer.stderr


def test_common_options_may_stand_before_the_command():
    given = ["--data", "DIR", "--json", "--server=URL", "why", "--depth", "2", "--", "-x"]

    assert options_last(given) == ["why", "--depth", "2", "--data", "DIR", "--json", "--server=URL", "--", "-x"]


def test_the_version_is_printed():
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("flyball 0.")


def test_a_missing_library_names_itself_and_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "flyball.cli.diagnosis.server", raising=False)

    with pytest.raises(MissingExtraError, match=r"needs the library 'psycopg'.*pip install 'flyball\[server\]'"):
        load_server_part("flyball.cli.diagnosis.server")


def test_the_story_names_the_extra_that_brings_its_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    for name in ("flyball.cli.story.asking", "flyball.cli.story.telling"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    with pytest.raises(MissingExtraError, match=r"needs the library 'openai'.*pip install 'flyball\[demo\]'"):
        load_server_part("flyball.cli.story.telling")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["keys", "list", "--data", "/nowhere"], ["sql", "select 1", "--data", "/nowhere"]]
)
def test_a_command_costs_less_than_300_milliseconds_of_one_core(arguments):
    # On a busy or slow machine everything costs more, so there the measure is what Python itself needs for asyncio.
    allowed = max(0.3, 8 * cpu_seconds("-c", "import asyncio"))

    assert cpu_seconds("-m", "flyball.cli", *arguments) < allowed


def cpu_seconds(*arguments: str) -> float:
    def once() -> float:
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return used.ru_utime + used.ru_stime

    return min(once() for _ in range(5))


def test_every_exit_code_is_in_the_table_once():
    assert [row.code for row in EXITS] == list(ExitCode)


def test_every_exit_code_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text()

    assert [row.code for row in EXITS if f"| {row.code.value} |" not in page or row.meaning not in page] == []


def test_every_command_loads_in_the_base_install():
    server = [
        "psycopg",
        "psutil",
        "fastapi",
        "pydantic",
        "duckdb",
        "pyarrow",
        "lancedb",
        "deltalake",
        "dbos",
        "uvicorn",
        "jinja2",
    ]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({server!r}))\n"
        "from flyball.cli.commands import load_all; load_all()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_arguments_that_are_no_text_are_refused_before_anything_is_done(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["flyball", "members", "add", "\udcff\udcfe"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 2
    assert capsys.readouterr().err == "'\\udcff\\udcfe' is not UTF-8. Next: write it as UTF-8\n"
