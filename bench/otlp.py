"""What OTLP ingest carries on this machine, everything included: the load, the gateway, control, the flusher and PostgreSQL.

python bench/otlp.py [--seconds 20] [--case small,large,huge] [--rate N] [--connections 8] [--data DIR] [--out FILE]

Over a real `flyball up`. A span counts when it was acknowledged, which means that it is durable. Beside the load, once a
second, a span of its own is sent and looked for until a reader finds it.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_load import Load, Template, corpus, send

from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.kit.layout import Layout

FLYBALL = [sys.executable, "-m", "flyball.cli"]
# Spans in a request, bytes of each: 512 is what exporters send at once unless they are told otherwise.
CASES = {"small": (512, 1_000), "hundreds": (100, 1_000), "large": (10, 50_000)}
HUGE_BYTES = 20 * 1024 * 1024
LIMITS = {"small": 20_000, "large": 2_000, "p99 ms": 50, "visible s": 2}
_DRAIN_SECONDS = 300
_LOOK_SECONDS = 0.2
_PARTS = {"p50": 50, "p99": 99}  # of the readers, by how long they waited; and the last of them


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--case", default="small,large,huge")
    parser.add_argument("--rate", type=float, default=0, help="spans per second; 0: as many as are answered")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--data", type=Path, default=None, help="keep what is stored in this folder")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "otlp.json")
    options = parser.parse_args()
    words, rows = corpus(), {}
    for case in options.case.split(","):
        with running(options.data) as server:
            rows[case] = server.huge() if case == "huge" else server.run(_load(case, options), words)
        print(f"{case}: {json.dumps(rows[case])}", flush=True)
    machine = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "cores": os.cpu_count(),
        "load before": os.getloadavg()[0],
        "python": platform.python_version(),
    }
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine, "limits": LIMITS, "rows": rows}, indent=1) + "\n")


def _load(case: str, options: argparse.Namespace) -> Load:
    spans, size = CASES[case]
    return Load(spans, size, options.connections, options.seconds, options.rate)


@contextmanager
def running(kept: Path | None = None) -> Iterator["Server"]:
    """A flyball of its own, on this folder or on one that goes with it."""
    with _folder(kept) as folder, _flyball(folder) as server:
        yield server


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    folder = Path(tempfile.mkdtemp(prefix="flyball-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _flyball(folder: Path) -> Iterator["Server"]:
    environment = os.environ | {"FLYBALL_OTLP_GRPC_PORT": "0"}
    command = [*FLYBALL, "up", "--json", "--port", "0", "--data", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        address = _address(process)
        made = subprocess.run(
            [*FLYBALL, "keys", "create", f"bench {time.time_ns()}", "--role", "owner", "--json", "--data", str(folder)],
            capture_output=True,
            check=True,
        )
        yield Server(folder, process.pid, address, json.loads(made.stdout)["key"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _address(process: subprocess.Popen[bytes]) -> str:
    printed = b""
    for line in process.stdout or ():
        printed += line
        try:
            return str(json.loads(printed)["address"])
        except json.JSONDecodeError:
            continue
    raise SystemExit("flyball did not start")


class Server:
    """A running flyball, and what it takes."""

    def __init__(self, folder: Path, pid: int, address: str, key: str) -> None:
        self.folder = folder
        self._process = psutil.Process(pid)
        self.address = address
        self.key = key
        layout = Layout(folder)
        self._database = EmbeddedPostgres(layout.postgres, layout.sockets).url

    def run(self, load: Load, words: bytes) -> dict[str, Any]:
        """A load, and what it came to."""
        warm = load._replace(seconds=2)
        warmed = asyncio.run(send(self.address, self.key, warm, words))
        self.drain()
        disk, before = self._disk(), self._processor_seconds()
        sent, beside = asyncio.run(self._both(load, words))
        after, waiting = self._processor_seconds(), self._waiting()
        began = time.perf_counter()
        left = self.drain()
        stored = self._stored()
        expected = warmed["spans"] + sent["spans"] + beside.pop("probes")
        return {
            **sent,
            **beside,
            "processor s": {name: round(after[name] - before.get(name, 0), 1) for name in after},
            "drained in s": round(time.perf_counter() - began, 1) if not left else f"{left} records left",
            "stored": stored,
            "stored at end": expected - waiting,
            "expected": expected,
            "disk bytes a span": round((self._disk() - disk) / max(1, sent["spans"])),
        }

    async def _both(self, load: Load, words: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        probes = Template(1, 1_000, words)  # before: it takes a third of a second, in which nothing would be sent
        watching = asyncio.create_task(asyncio.to_thread(self._watch, time.perf_counter() + load.seconds))
        looking = asyncio.create_task(asyncio.to_thread(self._look, time.perf_counter() + load.seconds, probes))
        sent = await send(self.address, self.key, load, words)
        return sent, {**await watching, **await looking}

    def _watch(self, end: float) -> dict[str, Any]:
        """The most memory of each process, and the most that waited."""
        memory: dict[str, float] = {}
        waiting = 0
        with psycopg.connect(self._database, autocommit=True) as connection:
            while time.perf_counter() < end:
                for name, one in self._processes():
                    memory[name] = max(memory.get(name, 0), round(one.memory_info().rss / 1e6))
                waiting = max(waiting, _waiting(connection))
                time.sleep(1)
        return {"memory MB": memory, "most records waiting": waiting}

    def _look(self, end: float, template: Template) -> dict[str, Any]:
        """How long after its acknowledgement a span is found by a reader."""
        found: list[float] = []
        probes = 0
        while time.perf_counter() < end:
            body, trace_id = template.request()
            status, _ = self._ask("/v1/traces", body, "application/x-protobuf")
            probes += status == 200
            acknowledged = time.perf_counter()
            while status == 200 and time.perf_counter() < acknowledged + 30:
                if self._ask(f"/api/traces/{trace_id}")[0] == 200:
                    found.append(time.perf_counter() - acknowledged)
                    break
                time.sleep(_LOOK_SECONDS)
            time.sleep(1)
        found.sort()
        seen = {name: round(found[len(found) * part // 100], 2) for name, part in _PARTS.items()} if found else {}
        if found:
            seen["most"] = round(found[-1], 2)
        return {"visible s": seen, "not found in 30 s": probes - len(found), "probes": probes}

    def huge(self) -> dict[str, Any]:
        """One text of 20 MB: acknowledged, and read back whole."""
        words = corpus(HUGE_BYTES + 1_000)
        body, trace_id = _one(words)
        began = time.perf_counter()
        status, _ = self._ask("/v1/traces", body, "application/x-protobuf")
        took = time.perf_counter() - began
        self.drain()
        text, span_id = words[:HUGE_BYTES].decode(), f"{1:016x}"
        began = time.perf_counter()
        read, answer = self._ask(f"/api/traces/{trace_id}/spans/{span_id}/input")
        whole = read == 200 and json.loads(answer)["text"] == text
        return {
            "status": status,
            "acknowledged ms": round(took * 1e3),
            "read whole": whole,
            "read ms": round((time.perf_counter() - began) * 1e3),
            "memory MB": {name: round(one.memory_info().rss / 1e6) for name, one in self._processes()},
        }

    def _ask(self, path: str, body: bytes | None = None, content_type: str = "application/json") -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self.key}", "content-type": content_type}
        request = urllib.request.Request(self.address + path, body, headers)  # noqa: S310 -- our own address
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- likewise
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def drain(self) -> int:
        """Wait until nothing waits; how many records still do."""
        end, left = time.perf_counter() + _DRAIN_SECONDS, 1
        with psycopg.connect(self._database, autocommit=True) as connection:
            while (left := _waiting(connection)) and time.perf_counter() < end:
                time.sleep(0.2)
        return left

    def _waiting(self) -> int:
        with psycopg.connect(self._database, autocommit=True) as connection:
            return _waiting(connection)

    def _stored(self) -> int | None:
        status, answer = self._ask("/api/sql", json.dumps({"sql": "select count(*) as n from spans"}).encode())
        return int(json.loads(answer)["rows"][0]["n"]) if status == 200 else None

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        for one in self._process.children(recursive=True):
            try:
                yield _name(one.cmdline()), one
            except psutil.NoSuchProcess:
                continue

    def _processor_seconds(self) -> dict[str, float]:
        found: dict[str, float] = {"load": time.process_time()}
        for name, one in self._processes():
            times = one.cpu_times()
            found[name] = found.get(name, 0) + times.user + times.system
        return found

    def _disk(self) -> int:
        """Bytes of what is kept: tables and large values, without the database's own files."""
        places = (self.folder / "lake", self.folder / "blobs")
        return sum(file.stat().st_size for place in places for file in place.rglob("*") if file.is_file())


def _one(words: bytes) -> tuple[bytes, str]:
    body, trace_id = Template(1, 1_000, words).request()
    request = ExportTraceServiceRequest.FromString(body)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.span_id = (1).to_bytes(8)
    del span.attributes[:]
    span.attributes.add(key="input.value").value.string_value = words[:HUGE_BYTES].decode()
    return request.SerializeToString(), trace_id


def _waiting(connection: psycopg.Connection[Any]) -> int:
    found = connection.execute("select coalesce(sum(records), 0) from inbox_batches").fetchone()
    return int(found[0]) if found else 0


def _name(command: list[str]) -> str:
    if command and "postgres" in command[0]:
        return "postgres"
    return " ".join(command[2:4]).replace("flyball.", "") if "-m" in command else "other"


if __name__ == "__main__":
    main()
