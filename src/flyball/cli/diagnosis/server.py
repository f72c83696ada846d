"""The port, the database and the master key. Needs the libraries of the `server` extra."""

import stat
import time
from pathlib import Path
from typing import Any

import psycopg

from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import list_migrations
from flyball.infra.processes.lock import Holder
from flyball.infra.processes.ports import bind, holder_of_port
from flyball.infra.secrets.errors import MasterKeyError
from flyball.infra.secrets.files import master_file
from flyball.infra.secrets.master import origin_of
from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.settings import Settings

from .finding import Finding, failed, not_checked, ok, warning

_OLDEST_SERVER = 150_000  # PostgreSQL 15
_SMALL_SKEW = 0.5
_LARGE_SKEW = 5.0


def check_port(settings: Settings, holder: Holder | None) -> Finding:
    """The public port is free, or ours."""
    port = settings.port
    if holder is not None and holder.address.endswith(f":{port}"):
        return ok("port", f"{port} is held by this flyball")
    try:
        bind(settings.host, port).close()
    except FlyballError as error:
        return (warning if holder else failed)("port", error.message, error.next_step)
    return ok("port", f"{port} on {settings.host} is free")


def check_otlp_port(settings: Settings, holder: Holder | None) -> Finding:
    """OTLP over gRPC has its port, or wants none."""
    port = settings.otlp_grpc_port
    if not port:
        return ok("otlp port", "OTLP over gRPC is off; over HTTP it is taken on the public port")
    held_by = holder_of_port(port)
    if holder is None:
        if not held_by:
            return ok("otlp port", f"{port} on {settings.host} is free")
    elif "flyball.web control" in held_by:
        return ok("otlp port", f"{port} takes OTLP over gRPC")
    found = f"{port} is held by {held_by}" if held_by else f"nothing listens on {port}, or it may not be seen who does"
    return warning(
        "otlp port",
        f"{found}: OTLP is taken over HTTP alone",
        "free the port, or set FLYBALL_OTLP_GRPC_PORT (0: none)",
    )


def check_master_key(settings: Settings, layout: Layout) -> Finding:
    """Where the key comes from under which secrets are encrypted; apart from the data is better."""
    apart = "give FLYBALL_MASTER_KEY, _FILE or _COMMAND, then `flyball secrets rotate-master`"
    try:
        origin = origin_of(settings, layout)
    except MasterKeyError as error:
        return failed("master key", error.message, error.next_step)
    if origin == "none":
        return ok("master key", "none given; with the first secret a file is made in the data directory")
    if origin == "data directory":
        found = f"{master_file(layout)} lies beside what it protects: whoever copies the directory has both"
        return warning("master key", found, apart)
    if origin == "file" and (problem := _file_problem(Path(settings.master_key_file))):
        return problem
    return ok("master key", f"from the {origin}, apart from the data")


def _file_problem(path: Path) -> Finding | None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return failed(
            "master key", f"{path} cannot be read ({error.strerror})", "let the user who runs flyball read it"
        )
    if mode & 0o077:
        return warning("master key", f"{path} is open to others (mode {mode:04o})", f"chmod 600 {path}")
    return None


def check_database(settings: Settings, layout: Layout, holder: Holder | None) -> list[Finding]:
    """It answers, its version is one that we know, its tables are those of this flyball, its clock agrees."""
    url, own = settings.database_url, bool(settings.database_url)
    if not own:
        if not (layout.postgres / "PG_VERSION").exists():
            return [not_checked("database", "the embedded one is made by the first `flyball up`")]
        if holder is None:
            made_by = (layout.postgres / "PG_VERSION").read_text().strip()
            return [not_checked("database", f"embedded, made by PostgreSQL {made_by}; it runs while `flyball up` runs")]
        url = EmbeddedPostgres(layout.postgres, layout.sockets).url
    where = "the one of FLYBALL_DATABASE_URL" if own else "embedded"
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            return [_version(connection, where), _tables(connection), _skew(connection)]
    except psycopg.Error as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        step = "check FLYBALL_DATABASE_URL and that the server runs" if own else f"read {layout.logs}/postgres.log"
        return [failed("database", f"{where}: {reason}", step)]


def _version(connection: psycopg.Connection[Any], where: str) -> Finding:
    number = connection.info.server_version
    found = f"{where}, PostgreSQL {number // 10_000}.{number % 10_000}"
    if number < _OLDEST_SERVER:
        return failed("database", found, "use PostgreSQL 15 or newer")
    return ok("database", found)


def _tables(connection: psycopg.Connection[Any]) -> Finding:
    known = {migration.name: migration.hash for migration in list_migrations()}
    try:
        applied = dict(connection.execute("select name, hash from schema_migrations").fetchall())
    except psycopg.errors.UndefinedTable:
        return ok("tables", "none yet: `flyball up` makes them")
    newer = sorted(applied.keys() - known.keys())
    changed = sorted(name for name, hash_ in applied.items() if known.get(name, hash_) != hash_)
    if newer:
        return failed("tables", f"made by a newer flyball ({', '.join(newer)})", "start that flyball, or a newer one")
    if changed:
        return failed("tables", f"made by another text of {', '.join(changed)}", "install the flyball that made them")
    missing = known.keys() - applied.keys()
    return ok(
        "tables",
        f"{len(applied)} migrations applied" + (f", {len(missing)} come with the next `flyball up`" if missing else ""),
    )


def _skew(connection: psycopg.Connection[Any]) -> Finding:
    before = time.time()
    row = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
    after = time.time()
    skew = abs(float(row[0]) - (before + after) / 2) if row else 0.0
    found = f"{skew * 1000:.0f} ms between this machine and PostgreSQL"
    step = "set both clocks by NTP: leases and expiries compare their times"
    if skew > _LARGE_SKEW:
        return failed("clock skew", found, step)
    return warning("clock skew", found, step) if skew > _SMALL_SKEW else ok("clock skew", found)
