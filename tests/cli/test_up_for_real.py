"""The whole of flyball under its supervisor, with the processes that users get: started, examined, killed, started, stopped."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

FLYBALL = [sys.executable, "-m", "flyball.cli"]


class Running:
    """`flyball up --json --workers 2` on a free port, from its start until it is told to stop."""

    def __init__(self, data: Path) -> None:
        self.data = data
        command = [*FLYBALL, "up", "--json", "--data", str(data), "--port", "0", "--workers", "2"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, umask=0)
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "}\n":
                break
        assert text, self.process.communicate()[1]
        self.told: dict[str, Any] = json.loads(text)

    def ask(self, *arguments: str) -> Any:
        done = subprocess.run(
            [*FLYBALL, *arguments, "--json", "--data", str(self.data)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def get(self, path: str, key: str = "") -> Any:
        connection = http.client.HTTPConnection(self.told["address"].removeprefix("http://"), timeout=10)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {key}"} if key else {})
            return json.load(connection.getresponse())
        finally:
            connection.close()

    def end(self, number: signal.Signals) -> str:
        """Send the signal; what it said on standard error until it ended, and nothing of it is left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        said = self.process.communicate(timeout=60)[1]
        _, alive = psutil.wait_procs(family, timeout=10)
        assert alive == []
        return said


def open_to_others(folder: Path) -> list[str]:
    """What anybody but the owner may read or write, with the most careless umask."""
    return [str(path) for path in folder.rglob("*") if not path.is_symlink() and path.lstat().st_mode & 0o077]


def told_to_everybody(running: Running, secret: str) -> list[str]:
    """Processes whose command line, which every user of the machine can read, holds the secret or the way to the database."""
    family = [
        running.process.pid,
        *(child.pid for child in psutil.Process(running.process.pid).children(recursive=True)),
    ]
    lines = []
    for pid in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # what serves one connection of PostgreSQL may be gone by now
            lines.append(" ".join(psutil.Process(pid).cmdline()))
    return [line for line in lines if secret in line or "postgresql://" in line]


def holding(folder: Path, secret: str) -> list[str]:
    """Files that hold a secret as it is."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in files if secret.encode() in path.read_bytes()]


def test_the_whole_of_flyball_starts_serves_survives_a_kill_and_stops_in_order(data_dir):
    first = Running(data_dir)
    key = first.ask("keys", "create", "demo")["key"]
    assert first.get("/v1/models", key)["object"] == "list"
    assert first.get("/healthz") == {"status": "ok"}
    assert {row["state"] for row in first.ask("doctor")} <= {"ok", "warning", "not checked"}
    assert open_to_others(data_dir) == []
    assert told_to_everybody(first, key) == []
    first.end(signal.SIGKILL)
    assert holding(data_dir, key) == []

    second = Running(data_dir)
    assert [one["name"] for one in second.ask("keys", "list")["items"]] == ["demo"]
    assert second.get("/v1/models", key)["object"] == "list"
    said = second.end(signal.SIGTERM)

    assert second.process.returncode == 0
    stopped = [line.split()[0] for line in said.splitlines() if "stopped after" in line]
    assert sorted(stopped[:2]) == ["gateway-1", "gateway-2"]
    assert stopped[2:] == ["runner", "worker", "control", "flusher", "postgres"]
    assert "killed" not in said
    assert not list((data_dir / "run").glob("*.sock"))
