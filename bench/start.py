"""How long from `flyball up` to the first served call, first time and again; what idles in memory; what an import costs.

Prints a table against the limits and writes bench/results/start.json. Run it on a quiet machine: every figure is a median
of several starts, each on the same data directory after one first start on an empty one.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results" / "start.json"
FLYBALL = [sys.executable, "-m", "flyball.cli"]
LIMITS = {
    "first start to first served call": 4.0,
    "later start to first served call": 2.0,
    "import flyball": 0.150,
    "gateway worker": 90,
    "control": 250,
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="later starts to take the median of")
    starts = parser.parse_args().starts
    folder = Path(tempfile.mkdtemp(prefix="flyball-bench-"))
    try:
        port = free_port()
        first, key, _ = once(folder, port, "")
        later = [once(folder, port, key) for _ in range(starts)]
        memory = {name: statistics.median(run[2][name] for run in later) for name in later[0][2]}
        figures = {
            "first start to first served call": first,
            "later start to first served call": statistics.median(run[0] for run in later),
            "import flyball": import_seconds(),
            **memory,
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in figures.items():
        unit = "MB" if name in memory else "s"
        limit = LIMITS.get(name)
        against = f"  limit {limit:g} {unit}  ratio {value / limit:.2f}" if limit else ""
        print(f"{name:36} {value:8.3f} {unit}{against}")
    machine = {"when": time.strftime("%Y-%m-%d %H:%M:%S%z"), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "figures": figures, "limits": LIMITS}, indent=1) + "\n")


def once(folder: Path, port: int, key: str) -> tuple[float, str, dict[str, float]]:
    """Seconds from the command to the first 200 of /v1/models with a key; the key; megabytes of each idle process.

    On a first start there is no key yet: it is made by a command once flyball says that it is ready, and counted in.
    """
    address = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    process = subprocess.Popen(
        [*FLYBALL, "up", "--json", "--port", str(port), "--data", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        if not key:
            ready(process)
            made = subprocess.run(
                [*FLYBALL, "keys", "create", "bench", "--json", "--data", str(folder)], capture_output=True, check=True
            )
            key = json.loads(made.stdout)["key"]
        while not served(address, key):
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        time.sleep(8)  # until the worker has started too and nothing moves any more
        return seconds, key, resident(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(process: subprocess.Popen[bytes]) -> str:
    """The address, once `flyball up` has printed it."""
    printed = b""
    for line in process.stdout or ():
        printed += line
        try:
            return json.loads(printed)["address"]
        except json.JSONDecodeError:
            continue
    raise SystemExit("flyball did not start")


def served(address: str, key: str) -> bool:
    """Whether a call of the model API with a key is answered."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def resident(pid: int) -> dict[str, float]:
    """Resident megabytes of flyball's own processes, by what they are."""
    names = {
        "web gateway": "gateway worker",
        "web control": "control",
        "worker runner": "runner",
        "worker jobs": "worker",
    }
    found = {}
    for child in psutil.Process(pid).children():
        line = " ".join(child.cmdline())
        for words, name in names.items():
            package, role = words.split()
            if f"flyball.{package}" in line and role in line:
                found[name] = child.memory_info().rss / 1e6
    return found


def import_seconds() -> float:
    """`import flyball` in a fresh interpreter, beyond the interpreter's own start; the best of seven."""

    def best(code: str) -> float:
        seconds = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds.append(time.perf_counter() - began)
        return min(seconds)

    return best("import flyball") - best("pass")


if __name__ == "__main__":
    main()
