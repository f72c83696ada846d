"""All SQL of keys. No clock, no ids, no authorisation. Members: `store`."""

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import ActiveKey, Key

_KEY = "id, project, name, prefix, role, permissions, created_by, created_ns, revoked_ns"

_USABLE_KEY = f"""
    select {_KEY} from keys where project = %s and (id = %s or name = %s) and revoked_ns is null
    order by (id = %s) desc limit 1 for update
"""
_ACTIVE = """
    select hash, id, project, name, permissions from keys
    where revoked_ns is null and project not in (select id from projects where archived_ns is not null)
"""
_EVERY_ACTIVE = f"{_ACTIVE} order by id"
_ACTIVE_BY_HASH = f"{_ACTIVE} and hash = %s"
_NEWEST_KEYS = f"""
    select {_KEY} from keys
    where project = %s and (%s::bigint is null or (created_ns, id) < (%s::bigint, %s))
    order by created_ns desc, id desc limit %s
"""


async def insert_key(connection: Connection, key: Key, hash_: bytes) -> bool:
    """Write a key and the hash that it is looked up by; False where a key in use has its name."""
    values = [
        key.id,
        key.project,
        key.name,
        key.prefix,
        key.role,
        list(key.permissions),
        key.created_by,
        key.created_ns,
    ]
    touched = await execute(
        connection,
        "insert into keys (id, project, name, prefix, role, permissions, created_by, created_ns, hash) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "on conflict (project, name) where revoked_ns is null do nothing",
        *values,
        hash_,
    )
    return touched == 1


async def usable_key(connection: Connection, project: str, id_or_name: str) -> Key | None:
    """The key of this id or name that is not revoked, locked until the transaction ends."""
    row = await fetch_one(
        connection,
        _USABLE_KEY,
        project,
        id_or_name,
        id_or_name,
        id_or_name,
    )
    return _key(row) if row else None


async def set_revoked(connection: Connection, key_id: str, revoked_ns: int) -> None:
    """Mark a key as revoked."""
    await execute(connection, "update keys set revoked_ns = %s where id = %s", revoked_ns, key_id)


async def newest_keys(connection: Connection, project: str, *, before: tuple[int, str] | None, most: int) -> list[Key]:
    """A project's keys, revoked ones too, newest first."""
    created_ns, key_id = before or (None, None)
    rows = await fetch_all(
        connection,
        _NEWEST_KEYS,
        project,
        created_ns,
        created_ns,
        key_id,
        most,
    )
    return [_key(row) for row in rows]


async def active_keys(connection: Connection) -> tuple[ActiveKey, ...]:
    """Every key of every project that may be used."""
    rows = await fetch_all(connection, _EVERY_ACTIVE)
    return tuple(_active(row) for row in rows)


async def key_by_hash(connection: Connection, hash_: bytes) -> ActiveKey | None:
    """The usable key with this hash."""
    row = await fetch_one(
        connection,
        _ACTIVE_BY_HASH,
        hash_,
    )
    return _active(row) if row else None


def _key(row: Row) -> Key:
    return Key(**row | {"permissions": tuple(row["permissions"])})


def _active(row: Row) -> ActiveKey:
    return ActiveKey(**row | {"hash": bytes(row["hash"]), "permissions": frozenset(row["permissions"])})
