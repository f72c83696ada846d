"""All SQL of functions, pinned variants and what is live: connection in, records out."""

from collections.abc import Iterable

import msgspec
from psycopg.types.json import Json, Jsonb

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Function, LiveRelease, PinnedVariant


async def insert(connection: Connection, function: Function) -> None:
    """Write one version."""
    await execute(
        connection,
        """
        insert into function_versions (id, project, name, version, hash, spec, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        function.id,
        function.project,
        function.name,
        function.version,
        function.hash,
        Json(msgspec.to_builtins(function.spec)),
        function.created_ns,
        function.created_by,
    )


async def get(connection: Connection, project: str, name: str, version: int | None = None) -> Function | None:
    """The newest version of a name, or the asked one."""
    row = await fetch_one(
        connection,
        """
        select * from function_versions
        where project = %s and name = %s and version = coalesce(%s::integer, version)
        order by version desc limit 1
        """,
        project,
        name,
        version,
    )
    return msgspec.convert(row, Function) if row else None


async def all_current(connection: Connection, project: str | None = None) -> tuple[Function, ...]:
    """The newest version of every name, by name; of every project unless one is given."""
    rows = await fetch_all(
        connection,
        """
        select distinct on (project, name) * from function_versions
        where project = coalesce(%s::text, project) order by project, name, version desc
        """,
        project,
    )
    return msgspec.convert(rows, tuple[Function, ...])


async def versions(connection: Connection, project: str, name: str) -> tuple[Function, ...]:
    """Every version of a name, newest first."""
    rows = await fetch_all(
        connection,
        "select * from function_versions where project = %s and name = %s order by version desc",
        project,
        name,
    )
    return msgspec.convert(rows, tuple[Function, ...])


async def insert_variant(connection: Connection, project: str, variant: PinnedVariant, created_ns: int) -> None:
    """Keep a pinned variant for ever; one that is there already stays as it is."""
    await execute(
        connection,
        """
        insert into variants (project, hash, function, name, kind, spec, created_ns)
        values (%s, %s, %s, %s, %s, %s, %s) on conflict (project, hash) do nothing
        """,
        project,
        variant.hash,
        variant.function,
        variant.name,
        variant.kind,
        Jsonb(variant.spec),
        created_ns,
    )


async def get_variant(connection: Connection, project: str, hash_: str) -> PinnedVariant | None:
    """The pinned variant of a hash. Whether this process can run it is for `availability` to say."""
    row = await fetch_one(connection, "select * from variants where project = %s and hash = %s", project, hash_)
    return _variant(row) if row else None


async def variants_of(connection: Connection, project: str, function: str) -> tuple[PinnedVariant, ...]:
    """Every variant of a function that was ever pinned, newest first."""
    rows = await fetch_all(
        connection,
        "select * from variants where project = %s and function = %s order by created_ns desc, hash",
        project,
        function,
    )
    return tuple(_variant(row) for row in rows)


async def variants_by_hash(connection: Connection, project: str, hashes: Iterable[str]) -> dict[str, PinnedVariant]:
    """Those of the hashes that are known."""
    rows = await fetch_all(
        connection, "select * from variants where project = %s and hash = any(%s)", project, list(hashes)
    )
    return {row["hash"]: _variant(row) for row in rows}


async def live_variants(connection: Connection) -> dict[tuple[str, str], PinnedVariant]:
    """Every variant that some live release of any project serves, by project and hash: what the gateway's snapshot needs."""
    rows = await fetch_all(
        connection,
        """
        select v.* from variants v where exists (
            select from live_releases l, jsonb_array_elements(l.shares) as share
            where l.project = v.project and share ->> 0 = v.hash
        )
        """,
    )
    return {(row["project"], row["hash"]): _variant(row) for row in rows}


async def set_live(connection: Connection, live: LiveRelease, now_ns: int) -> None:
    """Make a release the one that serves its function. The caller says SNAPSHOT in the same transaction."""
    await execute(
        connection,
        """
        insert into live_releases (project, function, release_id, release_hash, shares, set_ns) values (%s, %s, %s, %s, %s, %s)
        on conflict (project, function) do update set
            release_id = excluded.release_id, release_hash = excluded.release_hash, shares = excluded.shares, set_ns = excluded.set_ns
        """,
        live.project,
        live.function,
        live.release_id,
        live.release_hash,
        Jsonb(live.shares),
        now_ns,
    )


async def get_live(connection: Connection, project: str, function: str) -> LiveRelease | None:
    """What serves a function now."""
    row = await fetch_one(
        connection, "select * from live_releases where project = %s and function = %s", project, function
    )
    return msgspec.convert(row, LiveRelease) if row else None


async def all_live(connection: Connection) -> tuple[LiveRelease, ...]:
    """What serves every function of every project."""
    rows = await fetch_all(connection, "select * from live_releases order by project, function")
    return msgspec.convert(rows, tuple[LiveRelease, ...])


def _variant(row: Row) -> PinnedVariant:
    return msgspec.convert(row, PinnedVariant)
