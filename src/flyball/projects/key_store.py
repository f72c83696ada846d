"""All SQL of keys. No clock, no ids, no authorisation. Members: `store`; last uses: `key_uses`."""

from collections.abc import AsyncIterator, Iterable
from functools import lru_cache
from typing import NamedTuple

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one
from flyball.kit.addresses import Network, networks_of

from .key_records import ActiveKey, Key, KeyFilter
from .personal import permissions_now

_WRITTEN = (
    "id, project, name, kind, member, prefix, role, permissions, models, functions, addresses, created_by, created_ns, "
    "expires_ns, replaces, line"
)
_INSERT = f"""
    insert into keys ({_WRITTEN}, name_key, hash) values ({", ".join(["%s"] * (len(_WRITTEN.split(",")) + 2))})
    on conflict (project, name_key) where revoked_ns is null and replaced_ns is null do nothing
"""
_SHOWN = f"""
    select {", ".join(f"k.{column.strip()}" for column in _WRITTEN.split(","))}, k.replaced_ns, k.revoked_ns,
        coalesce(m.name, '') as member_name, u.used_ns, coalesce(u.address, '') as used_from
"""
_JOINED = "left join members m on m.id = k.member left join key_uses u on u.key = k.id"
_CURRENT = """
    select id from keys where project = %s and (%s = '' or member = %s) and revoked_ns is null
        and (id = %s or (name = %s and replaced_ns is null))
    order by (id = %s) desc limit 1 for update
"""
_TO_REVOKE = """
    select id from keys where project = %s and (%s = '' or member = %s) and revoked_ns is null and (id = %s or name = %s)
    order by id for update
"""
_ONE = f"""
    {_SHOWN} from keys k {_JOINED} where k.project = %s and (%s = '' or k.member = %s) and (k.id = %s or k.name = %s)
    order by (k.id = %s) desc, k.revoked_ns is null desc, k.replaced_ns is null desc, k.created_ns desc limit 1
"""
_USABLE = """
    select count(*) as usable from keys
    where project = %s and member = %s and revoked_ns is null and (expires_ns is null or expires_ns > %s)
"""
_USABLE_OF = """
    select count(*) as usable from keys
    where member = %s and revoked_ns is null and (expires_ns is null or expires_ns > %s)
"""
# The page is cut before anything is joined to it.
_NEWEST = f"""
    {_SHOWN} from (
        select * from keys
        where project = %s and (%s::bigint is null or (created_ns, id) < (%s::bigint, %s))
            and (%s = '' or strpos(lower(name), lower(%s)) > 0)
            and (%s = '' or (revoked_ns is null and (expires_ns is null or expires_ns > %s)) = (%s = 'usable'))
            and (%s = '' or kind = %s) and (%s = '' or member = %s)
        order by created_ns desc, id desc limit %s
    ) k {_JOINED}
    order by k.created_ns desc, k.id desc
"""
_LIVING = "k.revoked_ns is null and p.archived_ns is null and (k.kind = 'service' or m.owner or s.member is not null)"
# A key as it is checked: with the role that its member has in its project now, where it is personal.
_CHECKED_COLUMNS = f"""
    k.hash, k.id, k.line, k.project, k.name, k.kind, k.member, k.permissions, k.expires_ns, k.models, k.functions, k.addresses,
    ({_LIVING}) is not true as ended,
    case when m.owner then 'owner' else s.role end as member_role, r.permissions as role_permissions
"""
_WITH_ROLES = """
    join projects p on p.id = k.project
    left join members m on m.id = k.member and m.removed_ns is null and m.organisation = p.organisation
    left join memberships s on s.project = k.project and s.member = m.id
    left join roles r on r.project = k.project and r.name = s.role
"""
_CHECKED = f"select {_CHECKED_COLUMNS} from keys k {_WITH_ROLES}"
_BY_HASH = f"{_CHECKED} where k.hash = %s"
_ENDED = f"select k.hash, k.id from keys k {_WITH_ROLES} where k.hash = any(%s) and ({_LIVING}) is not true"
_ACTIVE = f"{_CHECKED} where {_LIVING}"
# Asked twice a second by each worker: what has changed is found by its index alone, whatever the planner believes.
_CHANGED = f"""
    with changed as materialized (select * from keys where changed >= %s)
    select w.seen, c.* from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as seen) w
    left join (select {_CHECKED_COLUMNS} from changed k {_WITH_ROLES}) c on true
"""
_PORTION = 500  # some milliseconds of the event loop


class Changes(NamedTuple):
    """Keys that may have changed. Whatever is not among them and was committed is below the transaction `seen`."""

    seen: int
    usable: tuple[ActiveKey, ...]
    ended: tuple[bytes, ...]  # their hashes


async def insert_key(connection: Connection, key: Key, name_key: str, hash_: bytes) -> bool:
    """Write a key and the hash that it is looked up by; False where a key in use has its name, or one that looks like it."""
    values = (getattr(key, column.strip()) for column in _WRITTEN.split(","))
    written = (list(value) if isinstance(value, tuple) else value for value in values)
    return await execute(connection, _INSERT, *written, name_key, hash_) == 1


async def current_key(connection: Connection, project: str, id_or_name: str, member: str = "") -> Key | None:
    """The key of this id, or the one that bears the name now, unless revoked; locked until the transaction ends.

    Of one member alone, where one is given.
    """
    row = await fetch_one(connection, _CURRENT, project, member, member, *(3 * [id_or_name]))
    return await get_key(connection, project, row["id"]) if row else None


async def keys_to_revoke(connection: Connection, project: str, id_or_name: str, member: str = "") -> list[Key]:
    """The key of this id, or all of this name, those included that were replaced; locked until the transaction ends.

    Of one member alone, where one is given.
    """
    rows = await fetch_all(connection, _TO_REVOKE, project, member, member, id_or_name, id_or_name)
    ids = [row["id"] for row in rows]
    found = [await get_key(connection, project, id_) for id_ in ([id_or_name] if id_or_name in ids else ids)]
    return [key for key in found if key is not None]


async def get_key(connection: Connection, project: str, id_or_name: str, member: str = "") -> Key | None:
    """The key of this id; else the newest of this name, those in use first. Of one member alone, where one is given."""
    row = await fetch_one(connection, _ONE, project, member, member, *(3 * [id_or_name]))
    return _key(row) if row else None


async def count_usable(connection: Connection, project: str, member: str, now_ns: int) -> int:
    """How many personal keys of a member let somebody in now."""
    row = await fetch_one(connection, _USABLE, project, member, now_ns)
    return int(row["usable"]) if row else 0


async def count_usable_of(connection: Connection, member: str, now_ns: int) -> int:
    """How many personal keys of a member let somebody in now, in all projects."""
    row = await fetch_one(connection, _USABLE_OF, member, now_ns)
    return int(row["usable"]) if row else 0


async def successor(connection: Connection, project: str, key_id: str) -> str:
    """The id of the key that took this one's place; empty where none did."""
    row = await fetch_one(connection, "select id from keys where project = %s and replaces = %s", project, key_id)
    return row["id"] if row else ""


async def set_revoked(connection: Connection, project: str, key_id: str, revoked_ns: int) -> None:
    """Mark a key as revoked."""
    await execute(
        connection, "update keys set revoked_ns = %s where project = %s and id = %s", revoked_ns, project, key_id
    )


async def set_replaced(connection: Connection, project: str, key_id: str, *, replaced_ns: int, expires_ns: int) -> None:
    """Mark a key as replaced, and say until when it works on."""
    await execute(
        connection,
        "update keys set replaced_ns = %s, expires_ns = %s where project = %s and id = %s",
        replaced_ns,
        expires_ns,
        project,
        key_id,
    )


async def newest_keys(
    connection: Connection, project: str, which: KeyFilter, *, now_ns: int, before: tuple[int, str] | None, most: int
) -> list[Key]:
    """A project's keys, newest first."""
    created_ns, key_id = before or (None, None)
    rows = await fetch_all(
        connection,
        _NEWEST,
        *(project, created_ns, created_ns, key_id, which.text, which.text),
        *(which.state, now_ns, which.state, which.kind, which.kind, which.member, which.member, most),
    )
    return [_key(row) for row in rows]


# -- keys as they are checked


async def key_by_hash(connection: Connection, hash_: bytes) -> ActiveKey | None:
    """The key with this hash, unless it has been revoked, its project archived or its member gone."""
    row = await fetch_one(connection, _BY_HASH, hash_)
    return None if row is None or row["ended"] else _active(row)


async def ended_keys(connection: Connection, hashes: list[bytes]) -> dict[bytes, str]:
    """The ids of those with these hashes that were keys and are none any more: revoked, or their project or member is gone."""
    rows = await fetch_all(connection, _ENDED, hashes)
    return {bytes(row["hash"]): row["id"] for row in rows}


async def seen_until(connection: Connection) -> int:
    """The transaction below which this connection's snapshot has seen everything that was committed."""
    row = await fetch_one(connection, "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as seen")
    return int(row["seen"]) if row else 0


async def active_portions(connection: Connection) -> AsyncIterator[tuple[ActiveKey, ...]]:
    """The keys of every project that have not ended, expired ones included, in portions; inside a transaction."""
    async with connection.cursor("active_keys") as cursor:
        await cursor.execute(_ACTIVE)
        while rows := await cursor.fetchmany(_PORTION):
            yield tuple(_active(row) for row in rows)


async def active_keys(connection: Connection) -> tuple[ActiveKey, ...]:
    """All of them at once."""
    return tuple(_active(row) for row in await fetch_all(connection, _ACTIVE))


async def changed_keys(connection: Connection, seen: int) -> Changes:
    """Keys of every project that may have changed since somebody had seen everything below the transaction `seen`."""
    rows = await fetch_all(connection, _CHANGED, seen)
    found = [row for row in rows if row["hash"] is not None]
    return Changes(
        seen=rows[0]["seen"],
        usable=tuple(_active(row) for row in found if not row["ended"]),
        ended=tuple(bytes(row["hash"]) for row in found if row["ended"]),
    )


def _active(row: Row) -> ActiveKey:
    permissions = _set(tuple(row["permissions"]))
    if row["kind"] == "personal":
        permissions = permissions_now(row["permissions"], row["member_role"], row["role_permissions"])
    return ActiveKey(
        hash=bytes(row["hash"]),
        id=row["id"],
        line=row["line"],
        project=row["project"],
        name=row["name"],
        permissions=permissions,
        kind=row["kind"],
        member=row["member"] or "",
        expires_ns=row["expires_ns"],
        models=_set(tuple(row["models"])),
        functions=_set(tuple(row["functions"])),
        networks=_networks(tuple(row["addresses"])),
    )


def _key(row: Row) -> Key:
    lists = {name: tuple(row[name]) for name in ("permissions", "models", "functions", "addresses")}
    return Key(**row | lists)


# Thousands of keys have few kinds of rights: each kind is kept once.
@lru_cache(maxsize=4096)
def _set(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@lru_cache(maxsize=4096)
def _networks(addresses: Iterable[str]) -> tuple[Network, ...]:
    return networks_of(addresses)
