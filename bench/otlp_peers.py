"""The same OTLP load on flyball, Phoenix and MLflow, one after the other, each from its package with its embedded database.

python bench/otlp_peers.py [--seconds 20] [--connections 4] [--out FILE]

A span counts when it was acknowledged; beside it stands how many were stored when the load ended, how many two minutes later,
and what a span takes of the disk and of the processor. The peers live in environments of their own, made at the first run.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from otlp import running
from otlp_load import Load, corpus, send

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 120  # for what was acknowledged to be stored


class Peer(NamedTuple):
    """How a peer is installed, started and asked; its spans lie in one SQLite file."""

    requirement: str
    command: tuple[str, ...]
    environment: dict[str, str]
    ready: str
    database: str
    headers: str = ""


PEERS = {
    "phoenix": Peer(
        "arize-phoenix==20.26.1",
        ("-m", "phoenix.server.main", "serve"),
        {"PHOENIX_WORKING_DIR": "{folder}", "PHOENIX_PORT": "{port}", "PHOENIX_GRPC_PORT": "{other}", "PHOENIX_HOST": "127.0.0.1",
         "PHOENIX_TELEMETRY_ENABLED": "false"},
        "/healthz",
        "phoenix.db",
    ),
    "mlflow": Peer(
        "mlflow==3.17.2",
        ("-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1",
         "--backend-store-uri", "sqlite:///{folder}/mlflow.db", "--artifacts-destination", "{folder}/artifacts"),
        {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        "/health",
        "mlflow.db",
        "x-mlflow-experiment-id: 0\r\n",
    ),
}  # fmt: skip


def main() -> None:
    """Measure, print ratios, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "otlp_peers.json")
    options = parser.parse_args()
    load, words = Load(100, 1_000, options.connections, options.seconds, 0), corpus()
    with running() as server:
        rows = {"flyball": _ours(server.run(load, words))}
    for name, peer in PEERS.items():
        rows[name] = _measured(name, peer, load, words)
    print(f"{'':10}{'acked/s':>10}{'p99 ms':>10}{'stored at end':>15}{'2 min later':>13}{'of flyball':>12}")
    for name, row in rows.items():
        ratio = row["spans/s"] / rows["flyball"]["spans/s"]
        later = f"{row['stored later']:.0%}"
        print(f"{name:10}{row['spans/s']:10,}{row['p99 ms']:10}{row['stored at end']:15.0%}{later:>13}{ratio:12.3f}")
    machine = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    options.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


def _ours(row: dict[str, Any]) -> dict[str, Any]:
    waited = row["stored"] / row["expected"]
    return row | {"stored at end": row["stored at end"] / row["expected"], "stored later": waited}


def _measured(name: str, peer: Peer, load: Load, words: bytes) -> dict[str, Any]:
    python = _environment(name, peer)
    folder = Path(tempfile.mkdtemp(prefix=f"peer-{name}-"))
    try:
        with _running(python, peer, folder) as (address, process):
            asyncio.run(send(address, "", load._replace(seconds=1, connections=1), words, headers=peer.headers))
            time.sleep(5)
            stored, before, disk = _stored(folder / peer.database), _processor(process), _bytes(folder)
            sent = asyncio.run(send(address, "", load, words, headers=peer.headers))
            took = _processor(process) - before
            at_end = _stored(folder / peer.database) - stored
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline and _stored(folder / peer.database) - stored < sent["spans"]:
                time.sleep(1)
            later = _stored(folder / peer.database) - stored
            return sent | {
                "stored at end": at_end / max(1, sent["spans"]),
                "stored later": later / max(1, sent["spans"]),
                "disk bytes a span": round((_bytes(folder) - disk) / max(1, later)),
                "processor s": round(took, 1),
                "memory MB": round(sum(one.memory_info().rss for one in _family(process)) / 1e6),
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(name: str, peer: Peer) -> Path:
    folder = ROOT / f".venv-{name}"
    python, stamp = folder / "bin" / "python", folder / ".installed"
    if not stamp.exists() or stamp.read_text() != peer.requirement:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer.requirement]
        subprocess.run(command, check=True)
        stamp.write_text(peer.requirement)
    return python


@contextmanager
def _running(python: Path, peer: Peer, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    port = 21_000 + os.getpid() % 5_000
    words = {"folder": str(folder), "port": str(port), "other": str(port + 5_001)}
    environment = os.environ | {name: value.format(**words) for name, value in peer.environment.items()}
    command = [str(python), *(word.format(**words) for word in peer.command)]
    with (folder / "log").open("wb") as log:
        process = psutil.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _until_ready(address + peer.ready, process, folder / "log")
        yield address, process
    finally:
        for one in reversed(_family(process)):
            one.send_signal(signal.SIGTERM)
        psutil.wait_procs([process], timeout=20)


def _until_ready(address: str, process: psutil.Popen, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310 -- loopback
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"it did not start:\n{log.read_text()[-2000:]}")


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _processor(process: psutil.Process) -> float:
    return sum(one.cpu_times().user + one.cpu_times().system for one in _family(process))


def _stored(database: Path) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        return int(connection.execute("select count(*) from spans").fetchone()[0])


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.name != "log")


if __name__ == "__main__":
    main()
