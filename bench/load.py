"""A closed-loop load: wrk where it is installed, else a small loader of our own. Knows HTTP and latencies, no gateway."""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def measure(url: str, body: str, *, key: str, connections: int, seconds: int, core: int) -> dict[str, Any]:
    """Requests per second, and the median and 99th percentile of latency in milliseconds."""
    if shutil.which("wrk"):
        return _wrk(url, body, key=key, connections=connections, seconds=seconds, core=core)
    return asyncio.run(_own(url, body, key=key, connections=connections, seconds=seconds))


def _wrk(url: str, body: str, *, key: str, connections: int, seconds: int, core: int) -> dict[str, Any]:
    script = f"""
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "post.lua"
        path.write_text(script)
        command = [
            "taskset",
            "-c",
            str(core),
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--latency",
            "-s",
            str(path),
            url,
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: (.*)", said)
    return {
        "rps": float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        "p50_ms": _milliseconds(said, "50%"),
        "p99_ms": _milliseconds(said, "99%"),
        "failed": int(failed[1]) if failed else 0,
        "broken": broken[1] if broken else "",
        "by": "wrk",
    }


def _milliseconds(said: str, percentile: str) -> float:
    match = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s|m)\b", said)
    if match is None:
        sys.exit(f"wrk said nothing of {percentile}:\n{said}")
    return float(match[1]) * UNITS[match[2]]


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    if match is None:
        sys.exit(f"wrk said no {pattern}:\n{said}")
    return match[1]


async def _own(url: str, body: str, *, key: str, connections: int, seconds: int) -> dict[str, Any]:
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    data = body.encode()
    request = (
        f"POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(data)}\r\n\r\n"
    ).encode() + data
    latencies: list[float] = []
    failed = 0
    end = time.perf_counter() + seconds

    async def one() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection(name, int(port))
        while time.perf_counter() < end:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            await (reader.readexactly(int(length[1])) if length else reader.readuntil(b"\r\n0\r\n\r\n"))
            latencies.append((time.perf_counter() - began) * 1e3)
            failed += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    latencies.sort()
    return {
        "rps": len(latencies) / seconds,
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[len(latencies) * 99 // 100],
        "failed": failed,
        "broken": "",
        "by": "bench/load.py",
    }
