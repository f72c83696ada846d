"""All SQL of secrets and data keys. Bytes go in and out as they are: nothing is opened here. No clock, no authorisation."""

from collections.abc import Iterable

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one
from flyball.infra.secrets.safe import Sealed, Wrap

from .records import StoredSecret, Use

_MASTER = 0x666C79626D6B  # for pg_advisory_lock
_LOCK = "select pg_advisory_xact_lock(hashtextextended('flyball secrets of ' || %s, 0))"
_SEALED = """
    select s.project, s.name, s.version, s.hosts, s.sealed, k.id, k.master_key, k.wrapped
    from secrets s join data_keys k on k.project = s.project and k.id = s.data_key
"""
_SEALED_OF_PROJECT = f"{_SEALED} where s.project = %s order by s.name"
_SEALED_NAMED = f"{_SEALED} where s.project = %s and s.name = any(%s)"
_SEALED_OF_ALL = f"{_SEALED} order by s.project, s.name"


async def lock(connection: Connection, project: str) -> None:
    """Wait until nobody else changes secrets or the data key of the project; until the transaction ends."""
    await execute(connection, _LOCK, project)


async def lock_master(connection: Connection, *, exchanging: bool) -> None:
    """Data keys are made under the master key in use, and not while it is exchanged; until the transaction ends."""
    await execute(
        connection,
        "select case when %s then pg_advisory_xact_lock(%s) else pg_advisory_xact_lock_shared(%s) end",
        exchanging,
        _MASTER,
        _MASTER,
    )


async def last_version(connection: Connection, project: str, name: str) -> int:
    """The number of the newest version that there ever was; 0 for a new name."""
    row = await fetch_one(
        connection, "select version from secrets where project = %s and name = %s for update", project, name
    )
    return row["version"] if row else 0


async def put(connection: Connection, row: Sealed, created_ns: int, created_by: str) -> None:
    """Write a version over the one before, of which nothing stays."""
    await execute(
        connection,
        """
        insert into secrets (project, name, version, hosts, data_key, sealed, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (project, name) do update set
            version = excluded.version, hosts = excluded.hosts, data_key = excluded.data_key, sealed = excluded.sealed,
            created_ns = excluded.created_ns, created_by = excluded.created_by, removed_ns = null
        """,
        row.project,
        row.name,
        row.version,
        list(row.hosts),
        row.wrap.id,
        row.sealed,
        created_ns,
        created_by,
    )


async def reseal(connection: Connection, row: Sealed) -> None:
    """The same version under another data key."""
    await execute(
        connection,
        "update secrets set data_key = %s, sealed = %s where project = %s and name = %s and version = %s",
        row.wrap.id,
        row.sealed,
        row.project,
        row.name,
        row.version,
    )


async def remove(connection: Connection, project: str, name: str, removed_ns: int) -> None:
    """Take the value away."""
    await execute(
        connection,
        "update secrets set data_key = null, sealed = null, removed_ns = %s where project = %s and name = %s",
        removed_ns,
        project,
        name,
    )


async def get(connection: Connection, project: str, name: str) -> StoredSecret | None:
    """One secret without its value."""
    found = await list_all(connection, project, name)
    return found[0] if found else None


async def list_all(connection: Connection, project: str, name: str | None = None) -> tuple[StoredSecret, ...]:
    """A project's secrets by name, without their values; one alone where it is named."""
    rows = await fetch_all(
        connection,
        """
        select s.name, s.version, s.hosts, s.created_ns, s.created_by,
            (select coalesce(jsonb_agg(jsonb_build_object('model', u.model, 'host', u.host) order by u.model, u.host), '[]')
             from secret_uses u where u.project = s.project and u.secret = s.name) as used_by
        from secrets s where s.project = %s and s.name = coalesce(%s::text, s.name) and s.removed_ns is null order by s.name
        """,
        project,
        name,
    )
    return tuple(
        StoredSecret(**row | {"hosts": tuple(row["hosts"]), "used_by": tuple(Use(**use) for use in row["used_by"])})
        for row in rows
    )


async def sealed_of_project(connection: Connection, project: str) -> list[Sealed]:
    """Every secret of a project as it is kept."""
    return [_sealed(row) for row in await fetch_all(connection, _SEALED_OF_PROJECT, project)]


async def sealed_named(connection: Connection, project: str, names: Iterable[str]) -> list[Sealed]:
    """Those of these names, as they are kept."""
    return [_sealed(row) for row in await fetch_all(connection, _SEALED_NAMED, project, list(names))]


async def sealed_of_all(connection: Connection) -> list[Sealed]:
    """Every project's secrets as they are kept."""
    return [_sealed(row) for row in await fetch_all(connection, _SEALED_OF_ALL)]


async def newest_wrap(connection: Connection, project: str, purpose: str = "secrets") -> Wrap | None:
    """The project's data key in use; what another room seals has keys of its own."""
    row = await fetch_one(
        connection,
        "select id, project, master_key, wrapped from data_keys where project = %s and purpose = %s "
        "order by created_ns desc, id desc limit 1",
        project,
        purpose,
    )
    return _wrap(row) if row else None


async def get_wrap(connection: Connection, project: str, id_: str) -> Wrap | None:
    """A data key, whatever it is for."""
    row = await fetch_one(
        connection,
        "select id, project, master_key, wrapped from data_keys where project = %s and id = %s",
        project,
        id_,
    )
    return _wrap(row) if row else None


async def wraps_for_update(connection: Connection) -> list[Wrap]:
    """Every project's data keys, locked until the transaction ends."""
    rows = await fetch_all(
        connection, "select id, project, master_key, wrapped from data_keys order by project, id for update"
    )
    return [_wrap(row) for row in rows]


async def wraps_by_master(connection: Connection) -> dict[str, int]:
    """How many data keys each master key wraps."""
    rows = await fetch_all(connection, "select master_key, count(*) as wraps from data_keys group by master_key")
    return {row["master_key"]: row["wraps"] for row in rows}


async def insert_wrap(connection: Connection, wrap: Wrap, created_ns: int, created_by: str, purpose: str) -> None:
    """Write a new data key."""
    await execute(
        connection,
        "insert into data_keys (id, project, master_key, wrapped, created_ns, created_by, purpose) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        wrap.id,
        wrap.project,
        wrap.master_key,
        wrap.wrapped,
        created_ns,
        created_by,
        purpose,
    )


async def rewrap(connection: Connection, wrap: Wrap) -> None:
    """The same data key under another master key."""
    await execute(
        connection,
        "update data_keys set master_key = %s, wrapped = %s where project = %s and id = %s",
        wrap.master_key,
        wrap.wrapped,
        wrap.project,
        wrap.id,
    )


async def delete_other_wraps(connection: Connection, project: str, kept: str) -> None:
    """Forget the project's data keys but one; nothing may be sealed under them any more."""
    await execute(
        connection, "delete from data_keys where project = %s and id <> %s and purpose = 'secrets'", project, kept
    )


async def replace_uses(connection: Connection, project: str, model: str, uses: Iterable[tuple[str, str]]) -> None:
    """Which secrets a model refers to, and where it would send each."""
    await execute(connection, "delete from secret_uses where project = %s and model = %s", project, model)
    for secret, host in sorted(set(uses)):
        await execute(
            connection,
            "insert into secret_uses (project, model, secret, host) values (%s, %s, %s, %s)",
            project,
            model,
            secret,
            host,
        )


async def hosts_wanted(connection: Connection, project: str, name: str) -> tuple[str, ...]:
    """Where the models that refer to a name would send it."""
    rows = await fetch_all(
        connection,
        "select distinct host from secret_uses where project = %s and secret = %s and host <> '' order by host",
        project,
        name,
    )
    return tuple(row["host"] for row in rows)


def _sealed(row: Row) -> Sealed:
    return Sealed(row["project"], row["name"], row["version"], tuple(row["hosts"]), bytes(row["sealed"]), _wrap(row))


def _wrap(row: Row) -> Wrap:
    return Wrap(row["id"], row["project"], row["master_key"], bytes(row["wrapped"]))
