"""`flyball doctor` on healthy and sick places: what it finds and what it says to do."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from flyball.cli.diagnosis import directory, health, machine
from flyball.cli.root import app
from flyball.infra.processes.lock import DataLock, Holder
from flyball.infra.secrets.files import master_file
from flyball.kit.errors import ForbiddenError
from flyball.kit.layout import Layout
from flyball.settings import Settings


def examine(data: Path, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    answer = CliRunner().invoke(
        app, ["doctor", "--json", "--data", str(data)], env={"FLYBALL_PORT": "0", **environment}
    )
    return answer.exit_code, {row["check"]: row for row in json.loads(answer.stdout)}


def test_before_the_first_start_nothing_is_wrong(tmp_path):
    code, found = examine(tmp_path / "new")

    assert code == 0
    assert "`flyball up` makes it" in found["data directory"]["found"]
    assert found["installation"]["state"] == "ok"
    assert found["database"]["state"] == "not checked"
    assert not (tmp_path / "new").exists()


def test_every_check_that_is_not_ok_says_what_to_do(tmp_path):
    (tmp_path / "data").mkdir(mode=0o755)
    _, found = examine(tmp_path / "data", FLYBALL_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")

    sick = [row for row in found.values() if row["state"] in ("warning", "failed")]
    assert {row["check"] for row in sick} >= {"permissions", "database"}
    assert all(row["next_step"] for row in sick)


def test_as_a_table_it_ends_with_the_verdict(tmp_path):
    answer = CliRunner().invoke(app, ["doctor", "--data", str(tmp_path / "new")], env={"FLYBALL_PORT": "0"})

    assert answer.stdout.splitlines()[0].split() == ["check", "state", "found", "what", "to", "do"]
    assert answer.stdout.splitlines()[-1] == "Nothing keeps flyball from working."


def test_a_file_in_place_of_the_directory_fails(tmp_path):
    (tmp_path / "data").touch()

    code, found = examine(tmp_path / "data")

    assert code == 1
    assert "is not a directory" in found["data directory"]["found"]


def test_a_directory_that_others_can_read_is_a_warning_with_the_command(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)

    code, found = examine(tmp_path / "data")

    assert code == 0
    assert found["permissions"]["next_step"] == f"chmod 700 {tmp_path}/data"


def test_a_port_in_use_is_named_with_its_holder(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, found = examine(tmp_path, FLYBALL_PORT=str(taken.getsockname()[1]))

    assert code == 1
    assert f"in use by process {os.getpid()}" in found["port"]["found"]


def test_a_database_that_is_away_fails_with_its_reason(tmp_path):
    code, found = examine(tmp_path, FLYBALL_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")

    assert code == 1
    assert "Connection refused" in found["database"]["found"]
    assert "FLYBALL_DATABASE_URL" in found["database"]["next_step"]


def test_a_migrated_database_is_well_and_its_clock_agrees(tmp_path, database_url):
    _, found = examine(tmp_path, FLYBALL_DATABASE_URL=database_url)

    assert [found[name]["state"] for name in ("database", "tables", "clock skew")] == ["ok", "ok", "ok"]
    assert "PostgreSQL 18" in found["database"]["found"]


def test_tables_of_a_newer_flyball_fail(tmp_path, database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("insert into schema_migrations (name, hash) values ('9999_later', 'x')")

    _, found = examine(tmp_path, FLYBALL_DATABASE_URL=database_url)

    assert found["tables"]["state"] == "failed"
    assert "9999_later" in found["tables"]["found"]


def test_sockets_left_by_a_killed_flyball_are_known_as_such(layout: Layout):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(layout.socket("admin")))

    _, found = examine(layout.root)

    assert found["sockets"]["found"] == "admin.sock: left by an earlier start, and removed by the next"


def test_a_running_flyball_whose_sockets_are_silent_fails(layout: Layout):
    lock = DataLock(layout.lock)
    lock.acquire(1)
    lock.tell(Holder(os.getpid(), 1, "http://127.0.0.1:4000"))

    code, found = examine(layout.root)

    lock.release()
    assert code == 1
    assert found["running"]["found"] == f"process {os.getpid()} at http://127.0.0.1:4000"
    assert "admin.sock, public.sock, runner.sock does not answer" in found["sockets"]["found"]
    assert found["control"]["state"] == "failed"


def test_a_clock_that_went_back_fails(layout: Layout):
    layout.lock.touch()
    os.utime(layout.lock, (4_000_000_000, 4_000_000_000))

    assert "in the future" in directory.check_clock(layout).found


@pytest.mark.parametrize(("free", "state"), [(1024, "failed"), (2**30, "warning"), (2**40, "ok")])
def test_little_room_on_the_disk_is_told_by_degrees(layout: Layout, monkeypatch, free, state):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free, "total": 2**41})())

    assert directory.check_disk(layout).state == state


def test_missing_libraries_are_named_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setattr(machine, "_installed", lambda name: name != "duckdb")

    finding = machine.check_extras()

    assert "missing for `flyball up`: duckdb" in finding.found
    assert finding.next_step == "pip install 'flyball[server]'"


@pytest.mark.parametrize(
    ("given", "made", "state", "said"),
    [
        ({}, False, "ok", "none given"),
        ({}, True, "warning", "lies beside what it protects"),
        ({"FLYBALL_MASTER_KEY": "0" * 64}, True, "ok", "from the environment"),
        ({"FLYBALL_MASTER_KEY_COMMAND": "cat /x"}, False, "ok", "from the command"),
        ({"FLYBALL_MASTER_KEY_FILE": "/no/such/file"}, False, "failed", "cannot be read"),
        (
            {"FLYBALL_MASTER_KEY": "0" * 64, "FLYBALL_MASTER_KEY_FILE": "/x"},
            False,
            "failed",
            "by environment and by file",
        ),
    ],
)
def test_where_the_master_key_comes_from_is_told(tmp_path, given, made, state, said):
    if made:
        master_file(Layout(tmp_path)).touch(mode=0o600)

    _, found = examine(tmp_path, **given)

    assert (found["master key"]["state"], said in found["master key"]["found"]) == (state, True)


def test_a_master_key_in_a_file_that_others_read_is_warned_of(tmp_path):
    file = tmp_path / "key"
    file.touch(mode=0o644)
    file.chmod(0o644)

    _, found = examine(tmp_path, FLYBALL_MASTER_KEY_FILE=str(file))

    assert found["master key"]["next_step"] == f"chmod 600 {file}"


def test_without_an_smtp_server_it_says_that_nothing_goes_by_e_mail(tmp_path):
    code, found = examine(tmp_path / "new")

    assert (code, found["e-mail"]["state"]) == (0, "not checked")
    assert "FLYBALL_SMTP_SERVER" in found["e-mail"]["next_step"]


def test_an_smtp_server_that_does_not_answer_is_a_warning(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        _, found = examine(tmp_path / "new", FLYBALL_SMTP_SERVER=address, FLYBALL_SMTP_FROM="bot@example.com")

    assert (found["e-mail"]["state"], address in found["e-mail"]["found"]) == ("warning", True)


def test_records_that_were_refused_are_shown_with_their_reason_and_a_torn_line_counts(tmp_path):
    aside = tmp_path / "data" / "spool" / "gateway-2"
    aside.mkdir(parents=True)
    (aside / "refused.jsonl").write_bytes(b'{"reason":"violates\\ncheck","record":"eA=="}\n{"reason":"cut off')
    _, found = examine(tmp_path / "data")

    assert found["refused spans"]["state"] == "warning"
    assert found["refused spans"]["found"].startswith(
        "2 spans are in no trace; the last was refused because: violates check"
    )
    assert str(aside / "refused.jsonl") in found["refused spans"]["next_step"]
    assert "refused records" not in found


def test_what_the_running_server_says_of_itself_is_told_with_the_next_step(monkeypatch):
    told = {
        "findings": [
            {"name": "objective for lag", "state": "bad", "found": "missed: 20 of 1,440", "next_step": "do this"},
            {"name": "lag now", "state": "warn", "found": "9 s", "next_step": ""},
            {"name": "flusher", "state": "bad", "found": "no room", "next_step": "make room"},
            {"name": "runs", "state": "note", "found": "2 failed", "next_step": ""},
            {"name": "disk", "state": "bad", "found": "looked at by the doctor itself", "next_step": ""},
        ]
    }
    monkeypatch.setattr(health, "control", lambda _: Answering(told))

    rows = {row.check: (row.state, row.next_step) for row in health.check_health(Settings())}

    assert rows == {
        "objective for lag": ("warning", "do this"),
        "lag now": ("warning", "`flyball health` shows more"),
        "flusher": ("failed", "make room"),
        "runs": ("ok", ""),
    }


def test_whoever_may_not_read_health_is_told_that_it_was_not_checked(monkeypatch):
    refusal = ForbiddenError("you lack the permission 'health.read'", next_step="ask an owner")
    monkeypatch.setattr(health, "control", lambda _: Answering(refusal))

    [row] = health.check_health(Settings())

    assert (row.state, row.found) == ("not checked", "you lack the permission 'health.read'")


class Answering:
    """A server that answers every question alike."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def get(self, path: str, *, timeout: float) -> Any:
        assert (path, timeout) == ("/api/health", 10)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer
