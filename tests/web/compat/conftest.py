"""A flyball as people start it, and the real Langfuse SDK in each of its majors, every scene in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
VENV = Path(sys.prefix)
MAJORS = (3, 4, 5)
_PATIENCE = 90


class Server:
    """`flyball up` on a data directory of its own. `address` is its public one, `key` a maintainer's."""

    def __init__(self, data):
        self.data = data
        self.address = ""
        with (data.parent / "said").open("w") as said:
            self.process = subprocess.Popen(
                self.command("up", "--port", "0"), stdout=subprocess.PIPE, stderr=said, text=True,
                env={**os.environ, "FLYBALL_OTLP_GRPC_PORT": "0"},
            )  # fmt: skip
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "}\n":
                break
        assert text.endswith("}\n"), (data.parent / "said").read_text()
        self.address = re.search(r"http://127\.0\.0\.1:\d+", text)[0]
        self.key = self.make_key("maintainer")

    def command(self, *words):
        return [sys.executable, "-m", "flyball.cli", *words, "--json", "--data", str(self.data)]

    def run(self, *words):
        """What a command prints."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=_PATIENCE)
        assert done.returncode == 0, f"flyball {' '.join(words)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout or "null")

    def make_key(self, role):
        """A key of that role."""
        return self.run("keys", "create", f"{role}-{os.urandom(3).hex()}", "--role", role)["key"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(_PATIENCE)
        self.process.stdout.close()


class Sdk:
    """One major of the SDK against the server, in a process of its own: `play` runs a scene there and returns what it saw."""

    def __init__(self, server, major):
        self.server = server
        self.major = major
        environment = {name: value for name, value in os.environ.items() if "LANGFUSE" not in name}
        environment |= {
            "LANGFUSE_PUBLIC_KEY": "pk-anything",
            "LANGFUSE_SECRET_KEY": server.key,
            "LANGFUSE_HOST": server.address,
            "LANGFUSE_BASE_URL": server.address,
            "LANGFUSE_TIMEOUT": "30",
            "PYTHONWARNINGS": "ignore",
            "PYTHONPATH": path_of(major),
        }
        self._said = server.data.parent / f"said-by-{major}"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / "scenes.py")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, env=environment, cwd=server.data.parent,
            )  # fmt: skip
        assert json.loads(self._process.stdout.readline())["version"].startswith(f"{major}.")

    def play(self, scene, **given):
        """What the scene saw; the test fails with its traceback where it failed."""
        self._process.stdin.write(json.dumps([scene, given]) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline() or '{"failed": "the process ended"}')
        assert "failed" not in told, f"{scene} with langfuse {self.major}: {told['failed']}\n{self.said()}"
        return told["seen"]

    def said(self):
        """What the SDK logged so far."""
        return self._said.read_text()

    def end(self):
        self._process.stdin.close()
        self._process.wait(_PATIENCE)
        self._process.stdout.close()


def path_of(major):
    """What stands first on the path; empty for the newest, which is installed like every package."""
    return "" if major == MAJORS[-1] else str(VENV / f"langfuse-{major}")


def absence(major):
    """Why this major cannot be run; empty where it can."""
    if major == MAJORS[-1] or (VENV / f"langfuse-{major}" / ".installed").exists():
        return ""
    return f"langfuse {major} is not installed here: scripts/install dev"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("langfuse") / "data")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sdks(server):
    """Every major, started when it is asked for."""
    started = {}

    def of(major):
        if major not in started:
            started[major] = Sdk(server, major)
        return started[major]

    yield of
    for sdk in started.values():
        sdk.end()


def _of(major):
    """The newest major in the suite, the older ones in the long tests."""
    if major == MAJORS[-1]:
        return major
    return pytest.param(
        major, marks=[pytest.mark.long, pytest.mark.skipif(bool(absence(major)), reason=absence(major))]
    )


@pytest.fixture(params=map(_of, MAJORS))
def sdk(sdks, request):
    """Each major of the SDK in turn."""
    return sdks(request.param)


@pytest.fixture
def newest(sdks):
    """The newest major alone, where majors do not differ."""
    return sdks(MAJORS[-1])
