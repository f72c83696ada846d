"""What is measured, started and pinned: the scripted upstream, nginx as the limit, a gateway worker over a database.

Core 0 belongs to whoever is measured; the upstream, the database and the load share core 1.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from flyball.infra.blobs.store import Blobs
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Database, fetch_one
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.ledger import quota_store
from flyball.ledger.records import Quota, Unit
from flyball.models import service as models
from flyball.models.records import Endpoint, ModelSpec, Prices
from flyball.projects import keys as projects
from flyball.settings import Settings

MEASURED, OTHERS = 0, 1
UNITS: tuple[Unit, ...] = ("nano_usd", "requests", "tokens", "parallel")  # of the quotas that a gateway is given
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 1000000;
    location / {{ proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
"""


def free_port() -> int:
    """A loopback port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    """The scripted upstream; its port."""
    port = free_port()
    with _process([sys.executable, "-m", "flyball.testing", "--port", str(port)], OTHERS, port):
        yield port


@contextlib.contextmanager
def nginx(upstream_port: int) -> Iterator[tuple[int, int]]:
    """A reverse proxy that does nothing else, on one core: the limit. Its port and its process id."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nginx.conf"
        path.write_text(NGINX.format(folder=folder, port=port, upstream=upstream_port))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        with _process([program, "-p", folder, "-c", str(path)], MEASURED, port) as process:
            yield port, process.pid


@contextlib.contextmanager
def gateway(upstream_port: int) -> Iterator[tuple[int, str, int]]:
    """One worker with keys checked, usage counted, prices applied and every call recorded; its port, a key, its process id."""
    with worker(upstream_port, ["-m", "flyball.web", "gateway"], {"bench": 0}) as (port, keys, pid):
        yield port, keys["bench"], pid


@contextlib.contextmanager
def worker(
    upstream_port: int, program: Sequence[str], quotas: Mapping[str, int]
) -> Iterator[tuple[int, dict[str, str], int]]:
    """A worker that runs a program of ours; its port, a key by each of the names with as many quotas of its own, its process id."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listening:
        root = Path(folder)
        server = EmbeddedPostgres(root / "pg", root / "run", durable=False)
        os.sched_setaffinity(0, {OTHERS})
        try:
            settings = Settings(data=folder, database_url=server.start())
            keys = asyncio.run(_prepare(settings, upstream_port, quotas))
            listening.bind(("127.0.0.1", 0))
            listening.listen(1024)
            port = int(listening.getsockname()[1])
            command = [sys.executable, *program, "--fd", str(listening.fileno())]
            environment = {"FLYBALL_DATA": folder, "FLYBALL_DATABASE_URL": settings.database_url}
            with _process(command, MEASURED, port, environment, (listening.fileno(),)) as process:
                _move_couriers(process.pid)
                yield port, keys, process.pid
        finally:
            server.stop()


def _move_couriers(pid: int) -> None:
    """What runs beside the worker runs beside it: not on the core where the worker is measured."""
    for _ in range(500):
        if couriers := psutil.Process(pid).children():
            return couriers[0].cpu_affinity([OTHERS])
        time.sleep(0.02)
    sys.exit("the worker has no courier")


async def _prepare(settings: Settings, upstream_port: int, quotas: Mapping[str, int]) -> dict[str, str]:
    database = Database(settings.database_url, most=2)
    await database.open()
    await migrate(database)
    layout = Layout(settings.data_path)
    layout.create()
    ctx = Context(
        db=database,
        lake=Lake(layout.lake.as_uri()),
        blobs=Blobs(layout.blobs.as_uri()),
        layout=layout,
        clock=SystemClock(),
        settings=settings,
        keyring=Keyring(settings, layout, SystemClock()),
        project="default",
        actor=Actor(id="local:0", kind="local", name="bench"),
    )
    base_url = f"http://127.0.0.1:{upstream_port}/v1"
    spec = ModelSpec(
        endpoints=(Endpoint(provider="openai-compatible", base_url=base_url, model="mock-small"),),
        prices=Prices(input="0.15", output="0.60"),
    )
    async with database.transaction() as connection:
        await models.put(connection, ctx, "mock-small", spec)
    made = {name: await projects.create_key(ctx, name) for name in quotas}
    async with database.across_projects().transaction() as connection:
        row = await fetch_one(connection, "select organisation from projects where id = 'default'")
        assert row is not None  # noqa: S101 -- migrations make it
        for name, unit in [(name, unit) for name, many in quotas.items() for unit in UNITS[:many]]:
            quota = Quota(
                id=f"quota_{made[name].key.id}_{unit}", organisation=row["organisation"], project="default", unit=unit,
                scope_kind="key", scope=made[name].key.id, amount=10**15, window="total",
            )  # fmt: skip
            await quota_store.insert(connection, quota)
    await database.close()
    return {name: one.secret.reveal() for name, one in made.items()}


@contextlib.contextmanager
def _process(
    command: list[str], core: int, port: int, environment: dict[str, str] | None = None, inherits: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command], env={**os.environ, **(environment or {})}, pass_fds=inherits
    )
    try:
        _wait_for(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(500):
        if process.poll() is not None:
            sys.exit(f"{process.args} ended before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            if probe.recv(10):
                return
        time.sleep(0.02)
    sys.exit(f"{process.args} does not listen on port {port}")
