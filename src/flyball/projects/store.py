"""All SQL of projects, members and keys. No clock, no ids, no authorisation. Sessions and links: `session_store`."""

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import ActiveKey, Key, Member

_KEY = "id, project, name, prefix, role, permissions, created_by, created_ns, revoked_ns"
_MEMBER = "id, project, name, role, password_verifier is not null as has_password, created_ns"

_USABLE_KEY = f"""
    select {_KEY} from keys where project = %s and (id = %s or name = %s) and revoked_ns is null
    order by (id = %s) desc limit 1 for update
"""
_NEWEST_KEYS = f"""
    select {_KEY} from keys
    where project = %s and (%s::bigint is null or (created_ns, id) < (%s::bigint, %s))
    order by created_ns desc, id desc limit %s
"""
_MEMBER_BY_NAME = f"select {_MEMBER} from members where project = %s and name = %s and removed_ns is null"
_MEMBER_BY_ID = f"select {_MEMBER} from members where id = %s and removed_ns is null"
_MEMBERS = f"select {_MEMBER} from members where project = %s and removed_ns is null order by name"


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
    rows = await fetch_all(
        connection, "select hash, id, project, name, permissions from keys where revoked_ns is null order by id"
    )
    return tuple(_active(row) for row in rows)


async def key_by_hash(connection: Connection, hash_: bytes) -> ActiveKey | None:
    """The usable key with this hash."""
    row = await fetch_one(
        connection,
        "select hash, id, project, name, permissions from keys where hash = %s and revoked_ns is null",
        hash_,
    )
    return _active(row) if row else None


async def insert_member(connection: Connection, member: Member) -> bool:
    """Write a member without a password; False where the name is taken already."""
    return bool(
        await execute(
            connection,
            "insert into members (id, project, name, role, created_ns) values (%s, %s, %s, %s, %s) "
            "on conflict (project, name) where removed_ns is null do nothing",
            member.id,
            member.project,
            member.name,
            member.role,
            member.created_ns,
        )
    )


async def get_member(connection: Connection, project: str, name: str) -> Member | None:
    """A member by name."""
    row = await fetch_one(
        connection,
        _MEMBER_BY_NAME,
        project,
        name,
    )
    return Member(**row) if row else None


async def get_member_by_id(connection: Connection, member_id: str) -> Member | None:
    """A member by id."""
    row = await fetch_one(connection, _MEMBER_BY_ID, member_id)
    return Member(**row) if row else None


async def list_members(connection: Connection, project: str) -> list[Member]:
    """A project's members by name."""
    rows = await fetch_all(connection, _MEMBERS, project)
    return [Member(**row) for row in rows]


async def password_verifier(connection: Connection, member_id: str) -> str | None:
    """The scrypt verifier of a member's password; None where none is set."""
    row = await fetch_one(connection, "select password_verifier from members where id = %s", member_id)
    return row["password_verifier"] if row else None


async def set_password_verifier(connection: Connection, member_id: str, verifier: str) -> None:
    """Set a member's password by its verifier."""
    await execute(connection, "update members set password_verifier = %s where id = %s", verifier, member_id)


def _key(row: Row) -> Key:
    return Key(**row | {"permissions": tuple(row["permissions"])})


def _active(row: Row) -> ActiveKey:
    return ActiveKey(**row | {"hash": bytes(row["hash"]), "permissions": frozenset(row["permissions"])})
