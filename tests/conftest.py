"""What tests of every room share: one embedded PostgreSQL per session, a fresh migrated database per test, a context.

The template database is migrated once per session; a test's database is a copy of it.
"""

import atexit
import datetime as dt
import gc
import ipaddress
import itertools
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg import sql

from flyball.infra.blobs.store import Blobs
from flyball.infra.context import DEFAULT_PROJECT, Actor, Context
from flyball.infra.db.database import Database
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.settings import Settings

# Tests start hundreds of Pythons; without byte code, half of what each costs is compiling what was compiled before.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Servers of tests that run side by side would want the same port; tests of OTLP over gRPC ask for one of their own.
os.environ.setdefault("FLYBALL_OTLP_GRPC_PORT", "0")
# A worker that has once spoken gRPC has its threads, and starts programs by fork: gRPC would wake those threads in the
# child as well, whose descriptors are just being closed, and abort it (one start of a hundred). Only tests do both.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Whoever makes a TLS client reads all authorities of the system first, 30 ms, and tests make thousands that call loopback.
# They trust one authority alone, whose key nobody has, so that nothing is trusted that was not. What it was is kept for installers.
os.environ.setdefault("FLYBALL_TEST_REGISTRIES", os.environ.get("SSL_CERT_FILE", ""))
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("authority.pem"))

_TEMPLATE = "flyball_template"
_ROOM = 2 * 1024**3  # bytes; a session takes a few hundred million
_numbers = itertools.count(1)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Two million objects are what eighteen thousand tests are: nothing of them is garbage, so nobody looks for any.

    Looking costs a second whenever Python does, in the middle of whichever test runs then.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        atexit.register(gc.unfreeze)  # modules are taken apart after that, and must be found
        gc.enable()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """PEM files of a certificate for 127.0.0.1 and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "flyball")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "certificate.pem"), str(folder / "key.pem")


@pytest.fixture
def costs_at_most() -> Callable[[float], AbstractContextManager[None]]:
    """A block that hostile input must not make dear: `with costs_at_most(units): ...`.

    A unit is what a fixed piece of Python costs this process at this moment (about 0.1 s of an idle core), so that a
    slow or busy machine allows more; only processor time counts. What a bound forbids costs a hundred times more.
    """

    def known_work() -> float:
        began = time.process_time()
        for number in range(100_000):
            str(number).encode().hex()
        return max(3 * (time.process_time() - began), 0.04)

    @contextmanager
    def block(units: float) -> Iterator[None]:
        before = known_work()
        gc.disable()  # a full collection costs what all tests before this one have left, which is not the input's doing
        try:
            began = time.process_time()
            yield
            took = time.process_time() - began
        finally:
            gc.enable()
        assert took < 2 * units * before or took < 2 * units * known_work()

    return block


@pytest.fixture
def nobody_waits_for_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace that is not known is refused at once, not after two seconds; for tests that ask for hundreds which never come."""
    from flyball.traces import service

    monkeypatch.setattr(service, "_PATIENCE_SECONDS", 0)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The session's server; not durable, because no test's database outlives the test."""
    # Short: a Unix socket's path must fit into 107 bytes. In memory, where a copy of the template costs a tenth.
    folder = Path(tempfile.mkdtemp(prefix=f"flyball-test-{os.getpid()}-", dir=_memory()))
    server = EmbeddedPostgres(folder / "postgres", folder / "run", durable=False)
    server.start()
    yield server
    if server.pid is not None:
        os.kill(server.pid, signal.SIGQUIT)  # nothing is worth a clean shutdown
    server.stop()
    shutil.rmtree(folder)


def _memory() -> Path | None:
    """The file system in memory, cleared of what killed sessions left; None, the usual place, where it has no room."""
    memory = Path("/dev/shm")  # noqa: S108 -- the folders in it are made for us alone
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < _ROOM:
        return None
    for left in memory.glob("flyball-test-*-*"):
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            shutil.rmtree(left, ignore_errors=True)
    return memory


@pytest.fixture(scope="session")
def template_url(postgres: EmbeddedPostgres) -> str:
    """The name of the migrated database that tests copy, as a URL of the server's own."""
    import asyncio

    async def prepare() -> None:
        database = Database(_named(postgres.url, _TEMPLATE), most=1)
        await database.open()
        await migrate(database)
        await database.close()

    _admin(postgres.url, "create database {}", _TEMPLATE)
    with asyncio.Runner() as runner:
        runner.run(prepare())
    return postgres.url


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of this test alone, without a table; for tests of migrations."""
    name = f"empty_{next(_numbers)}"
    _admin(postgres.url, "create database {}", name)
    yield _named(postgres.url, name)
    _admin(postgres.url, "drop database {} with (force)", name)


@pytest.fixture
def database_url(template_url: str) -> Iterator[str]:
    """A migrated database of this test alone, as a URL; for tests that start processes."""
    name = f"test_{next(_numbers)}"
    _admin(template_url, "create database {} template " + _TEMPLATE + " strategy file_copy", name)
    yield _named(template_url, name)
    _admin(template_url, "drop database {} with (force)", name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of this test alone, opened."""
    database = Database(database_url, most=6)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory of this test alone, with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="flyball-data-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def layout(data_dir: Path) -> Layout:
    """The layout of `data_dir`, its folders made."""
    layout = Layout(data_dir)
    layout.create()
    return layout


@pytest.fixture
def settings(data_dir: Path, database_url: str) -> Settings:
    """Settings that name this test's data directory and database."""
    return Settings(data=str(data_dir), database_url=database_url)


@pytest.fixture
def ctx(database: Database, layout: Layout, settings: Settings) -> Context:
    """The context of the local owner in the default project, with this test's database, tables and blobs."""
    return Context(
        db=database,
        lake=Lake(layout.lake.as_uri()),
        blobs=Blobs(layout.blobs.as_uri()),
        layout=layout,
        clock=SystemClock(),
        settings=settings,
        keyring=Keyring(settings, layout, SystemClock()),
        project=DEFAULT_PROJECT,
        actor=Actor(id="local:0", kind="local", name="tester"),
    )


@pytest.fixture
def application(ctx: Context):
    """The whole control application over this test's context."""
    from flyball.web.application import build_application

    return build_application(ctx)


@pytest.fixture
def public(application, settings: Settings):
    """The application as the gateway passes requests on: who calls must prove who they are. Call it with a path."""
    from flyball.surface.http.shield import Shield
    from flyball.testing.asgi import AsgiClient

    return AsgiClient(Shield(application, door="public", settings=settings))


@pytest.fixture
def admin(application, settings: Settings):
    """The application as the owner of the data directory reaches it, through the admin socket."""
    from flyball.surface.http.shield import Shield
    from flyball.testing.asgi import AsgiClient

    return AsgiClient(Shield(application, door="admin", settings=settings))


def _named(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


def _admin(url: str, statement: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
