"""All SQL of projects and members. No clock, no ids, no authorisation. Keys: `key_store`; sessions and links: `session_store`."""

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one

from .records import Member

_MEMBER = "id, project, name, role, password_verifier is not null as has_password, created_ns"

_MEMBER_BY_NAME = f"select {_MEMBER} from members where project = %s and name = %s and removed_ns is null"
_MEMBER_BY_ID = f"select {_MEMBER} from members where id = %s and removed_ns is null"
_MEMBERS = f"select {_MEMBER} from members where project = %s and removed_ns is null order by name"


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
