"""All SQL of invitations. No clock, no ids, no authorisation."""

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .invitation_records import Invitation

_INVITATION = """
    select i.id, i.project, p.name as project_name, o.name as organisation_name, i.email, i.role, i.created_by,
        i.created_ns, i.expires_ns
    from invitations i join projects p on p.id = i.project and p.archived_ns is null
    join organisations o on o.id = p.organisation
    where i.accepted_ns is null and i.revoked_ns is null
"""
_OPEN = f"{_INVITATION} and i.project = %s and i.expires_ns > %s order by i.created_ns desc, i.id desc limit 200"
_BY_HASH = f"{_INVITATION} and i.hash = %s and i.expires_ns > %s"
_BY_HASH_LOCKED = f"{_BY_HASH} for update of i"


async def insert_invitation(connection: Connection, invitation: Invitation, hash_: bytes) -> None:
    """Write an invitation and the hash that its token is looked up by."""
    await execute(
        connection,
        "insert into invitations (id, project, email, role, hash, created_by, created_ns, expires_ns) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s)",
        invitation.id,
        invitation.project,
        invitation.email,
        invitation.role,
        hash_,
        invitation.created_by,
        invitation.created_ns,
        invitation.expires_ns,
    )


async def open_invitations(connection: Connection, project: str, now_ns: int) -> list[Invitation]:
    """A project's invitations that can still be accepted, newest first, at most 200."""
    return [_invitation(row) for row in await fetch_all(connection, _OPEN, project, now_ns)]


async def by_hash(connection: Connection, hash_: bytes, now_ns: int, *, lock: bool = False) -> Invitation | None:
    """The invitation with this hash that can still be accepted."""
    row = await fetch_one(connection, _BY_HASH_LOCKED if lock else _BY_HASH, hash_, now_ns)
    return _invitation(row) if row else None


async def accept(connection: Connection, invitation: Invitation, member_id: str, now_ns: int) -> None:
    """It is used up."""
    await execute(
        connection,
        "update invitations set accepted_ns = %s, accepted_by = %s where project = %s and id = %s",
        now_ns,
        member_id,
        invitation.project,
        invitation.id,
    )


async def revoke(connection: Connection, project: str, invitation_id: str, now_ns: int) -> bool:
    """Make an invitation useless; False where there was none to revoke."""
    return bool(
        await execute(
            connection,
            "update invitations set revoked_ns = %s where project = %s and id = %s and accepted_ns is null "
            "and revoked_ns is null",
            now_ns,
            project,
            invitation_id,
        )
    )


def _invitation(row: Row) -> Invitation:
    return Invitation(**row)
