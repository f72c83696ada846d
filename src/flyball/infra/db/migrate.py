"""Apply the numbered SQL files of `migrations/` in their order, each once, each in its own transaction.

Knows the files and the table `schema_migrations`; knows no other table. A file that was applied may not change: its
hash is kept, and a difference is an error rather than a guess. Several processes may migrate at once: one works, the others wait.
"""

import re
from pathlib import Path
from typing import NamedTuple

import psycopg

from flyball.kit.errors import ConflictError, FlyballError
from flyball.kit.hashing import bytes_hash

from .database import Connection, Database, execute, fetch_all

MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x666C7962616C6C  # "flyball", for pg_advisory_lock
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationChangedError(ConflictError):
    """A file that this database has applied reads differently now."""

    code = "migration_changed"


class DatabaseNewerError(ConflictError):
    """The database has applied a file that this flyball does not have."""

    code = "database_newer"


class MigrationFailedError(FlyballError):
    """PostgreSQL refused a file; nothing of that file was kept."""

    code = "migration_failed"


class Migration(NamedTuple):
    """One file."""

    name: str
    sql: bytes
    hash: str


def list_migrations(directory: Path = MIGRATIONS) -> list[Migration]:
    """The files in their order. Two with one number are an error."""
    found: dict[str, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] in found:
            raise MigrationFailedError(
                f"the migration {path.name} has no number of its own",
                next_step="name it NNNN_deed.sql, with the next number",
            )
        sql = path.read_bytes()
        found[match[1]] = Migration(path.stem, sql, bytes_hash(sql))
    return list(found.values())


async def migrate(database: Database, directory: Path = MIGRATIONS) -> list[str]:
    """Bring the database up to date; the names of the files that were applied now."""
    async with database.owner_connection() as connection:
        await execute(connection, "select pg_advisory_lock(%s)", _LOCK)
        try:
            return await _apply_missing(connection, list_migrations(directory))
        finally:
            if not connection.broken:
                await execute(connection, "select pg_advisory_unlock(%s)", _LOCK)


async def missing(database: Database, directory: Path = MIGRATIONS) -> list[str]:
    """The names of the files that this database has yet to apply; the same errors as `migrate` where files and database differ."""
    async with database.owner_connection() as connection:
        applied: dict[str, str] = {}
        if await fetch_all(connection, "select 1 where to_regclass('schema_migrations') is not null"):
            rows = await fetch_all(connection, "select name, hash from schema_migrations")
            applied = {row["name"]: row["hash"] for row in rows}
    migrations = list_migrations(directory)
    _check(applied, migrations)
    return [migration.name for migration in migrations if migration.name not in applied]


async def _apply_missing(connection: Connection, migrations: list[Migration]) -> list[str]:
    await execute(
        connection,
        "create table if not exists schema_migrations (name text primary key, hash text not null, "
        "applied_ns bigint not null default (extract(epoch from clock_timestamp()) * 1000000000)::bigint)",
    )
    applied = {
        row["name"]: row["hash"] for row in await fetch_all(connection, "select name, hash from schema_migrations")
    }
    _check(applied, migrations)
    missing = [migration for migration in migrations if migration.name not in applied]
    for migration in missing:
        await _apply(connection, migration)
    return [migration.name for migration in missing]


def _check(applied: dict[str, str], migrations: list[Migration]) -> None:
    known = {migration.name: migration.hash for migration in migrations}
    for name, hash_ in applied.items():
        if name not in known:
            raise DatabaseNewerError(
                f"the database has the migration {name}, which this flyball does not know",
                next_step="start the flyball that made it, or a newer one",
            )
        if known[name] != hash_:
            raise MigrationChangedError(
                f"the migration {name} was applied with hash {hash_} and now has {known[name]}",
                next_step=f"restore {name}.sql, and put the change into a new migration",
            )


async def _apply(connection: Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await execute(
                connection, "insert into schema_migrations (name, hash) values (%s, %s)", migration.name, migration.hash
            )
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise MigrationFailedError(
            f"PostgreSQL refused the migration {migration.name}: {error}", next_step=f"correct {migration.name}.sql"
        ) from error
