"""The convention of a room's cli.py, used the way rooms use it, against a small control process on a real socket."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from flyball.kit.layout import Layout
from flyball.surface.console import Column, Commands, as_ago, control, follow_run, segment, show_list, show_one

app = Commands("keys", help="API keys: how a program calls.")


@app.command("list", permission="keys.read")
def list_keys(limit: Annotated[int, typer.Option(help="How many.")] = 50) -> None:
    """List the keys, newest first."""
    keys = control().get("/api/keys", limit=limit, cursor=None)
    show_list(
        keys,
        (Column("name"), Column("created_ns", "created", as_ago)),
        empty="No keys yet: `flyball keys create NAME`.",
    )


@app.command("create", permission="keys.read")
def create(name: str) -> None:
    """Create a key."""
    show_one(control().post("/api/keys", {"name": name}))


@app.command("show", permission="keys.read")
def show(name: str) -> None:
    """Show a key."""
    show_one(control().get(f"/api/keys/{segment(name)}"))


@app.command("import", permission="keys.read")
def run_import(run_id: str = "run_good") -> None:
    """Follow a run."""
    show_one(follow_run(control(), run_id))


class FakeControl(BaseHTTPRequestHandler):
    """Answers a few routes the way the control process does."""

    protocol_version = "HTTP/1.1"
    looks = 0

    def do_GET(self) -> None:
        if self.path == "/api/keys?limit=2":
            return self._answer(200, {"items": [{"name": "demo", "created_ns": 1}], "next": "abc"})
        if self.path == "/api/keys?limit=50":
            return self._answer(200, {"items": [], "next": None})
        if self.path.startswith("/api/runs/run_"):
            type(self).looks += 1
            ended = {"run_good": "succeeded", "run_bad": "failed"}[self.path.rpartition("/")[2]]
            status = ended if self.looks % 3 == 0 else "running"
            return self._answer(
                200, {"id": "run_good", "status": status, "done": 1, "total": 2, "note": "", "error": "disk full"}
            )
        name = self.path.rpartition("/")[2]
        error = {"code": "key_not_found", "message": f"there is no key {name!r}", "next_step": "`flyball keys list`"}
        return self._answer(404, {"error": error})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body["name"] == "proxy":
            return self._raw(502, b"<html>Bad gateway</html>")
        return self._answer(201, {"name": body["name"], "key": "fb-secret"})

    def _answer(self, status: int, value: Any) -> None:
        self._raw(status, json.dumps(value).encode())

    def _raw(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    layout = Layout(tmp_path)
    layout.create()
    with ThreadingUnixStreamServer(str(layout.socket("admin")), FakeControl) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield tmp_path
        server.shutdown()
        thread.join()


def run(data: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--data", str(data)])


def test_a_list_prints_as_a_table_and_says_how_to_go_on(data: Path) -> None:
    answer = run(data, "list", "--limit", "2")

    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[0].split() == ["name", "created"]
    assert "demo" in answer.stdout
    assert "more: --cursor abc" in answer.stdout


def test_json_prints_exactly_what_the_server_said(data: Path) -> None:
    answer = run(data, "list", "--limit", "2", "--json")

    assert json.loads(answer.stdout) == {"items": [{"name": "demo", "created_ns": 1}], "next": "abc"}


def test_an_empty_list_names_the_next_command(data: Path) -> None:
    assert run(data, "list").stdout == "No keys yet: `flyball keys create NAME`.\n"


def test_a_created_thing_prints_field_by_field(data: Path) -> None:
    answer = run(data, "create", "mine")

    assert answer.stdout.split() == ["name", "mine", "key", "fb-secret"]


def test_a_refusal_prints_its_message_and_next_step_and_exits_by_its_status(data: Path) -> None:
    answer = run(data, "show", "a/b")

    assert answer.exit_code == 7
    assert answer.stderr == "error: there is no key 'a%2Fb'\n  next: `flyball keys list`\n"


def test_a_refusal_with_json_is_json_on_standard_error(data: Path) -> None:
    answer = run(data, "show", "x", "--json")

    assert answer.stdout == ""
    assert json.loads(answer.stderr)["error"]["code"] == "key_not_found"


def test_an_answer_that_is_not_json_is_quoted(data: Path) -> None:
    answer = run(data, "create", "proxy")

    assert answer.exit_code == 5
    assert "refused with status 502: <html>Bad gateway</html>" in answer.stderr


def test_without_a_running_flyball_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    answer = run(tmp_path / "nowhere", "list")

    assert answer.exit_code == 5
    assert "no flyball is running on" in answer.stderr
    assert "flyball up --data" in answer.stderr


def test_a_remote_server_that_is_away_is_named(tmp_path: Path) -> None:
    answer = run(tmp_path, "list", "--server", "http://127.0.0.1:9")

    assert answer.exit_code == 5
    assert "http://127.0.0.1:9 cannot be reached" in answer.stderr


def test_a_run_is_followed_until_it_ends(data: Path) -> None:
    answer = run(data, "import", "--json")

    assert json.loads(answer.stdout)["status"] == "succeeded"


def test_a_run_that_failed_fails_the_command_with_its_reason(data: Path) -> None:
    answer = run(data, "import", "--run-id", "run_bad")

    assert answer.exit_code == 1
    assert "failed: disk full" in answer.stderr
    assert "flyball runs show run_bad" in answer.stderr


def test_a_command_that_declares_a_common_option_is_refused_when_it_is_written() -> None:
    def add_row(data: str) -> None:
        """Add a row."""

    with pytest.raises(TypeError, match="add_row declares data, which every command has"):
        app.command("add-row", permission="keys.write")(add_row)


def test_every_command_has_the_common_options_in_its_help(data: Path) -> None:
    answer = CliRunner().invoke(app, ["create", "--help"])

    for option in ("--json", "--data", "--server", "--key"):
        assert option in answer.stdout
