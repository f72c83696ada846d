"""All SQL of an organisation's owners, and of what somebody leaves behind. No clock, no authorisation."""

from typing import NamedTuple

from flyball.infra.db.database import Connection, execute, fetch_all

from .records import Owner


class Gift(NamedTuple):
    """An invitation that can still be accepted, by its id and project; the role that it gives, and the id of who made it."""

    id: str
    project: str
    role: str
    giver: str


async def lock_owners(connection: Connection, organisation: str) -> list[Owner]:
    """An organisation's owners by name, who cannot change until the transaction ends."""
    await execute(connection, "select 1 from organisations where id = %s for update", organisation)
    return await list_owners(connection, organisation)


async def list_owners(connection: Connection, organisation: str) -> list[Owner]:
    """An organisation's owners by name."""
    rows = await fetch_all(
        connection,
        "select id, name, email from members where organisation = %s and owner and removed_ns is null order by name",
        organisation,
    )
    return [Owner(**row) for row in rows]


async def set_owner(connection: Connection, member_id: str, *, owner: bool) -> None:
    """Make a person an owner of their organisation, or none any more."""
    await execute(connection, "update members set owner = %s where id = %s", owner, member_id)


async def set_removed(connection: Connection, member_id: str, now_ns: int) -> None:
    """Take a person out of their organisation: no role anywhere, no password, and the name is free. Their personal keys end with it."""
    await execute(connection, "delete from memberships where member = %s", member_id)
    await execute(
        connection,
        "update members set removed_ns = %s, owner = false, password_verifier = null where id = %s",
        now_ns,
        member_id,
    )


async def open_gifts(connection: Connection, giver: str, project: str = "") -> list[Gift]:
    """The open invitations that a person made, or a personal key of theirs; in one project, or in all."""
    rows = await fetch_all(
        connection,
        "select id, project, role, created_by as giver from invitations where (created_by = %s or created_by in "
        "(select id from keys where member = %s)) and (%s = '' or project = %s) and accepted_ns is null "
        "and revoked_ns is null order by id",
        giver,
        giver,
        project,
        project,
    )
    return [Gift(**row) for row in rows]


async def revoke_gift(connection: Connection, gift: Gift, now_ns: int) -> None:
    """Make an invitation useless."""
    await execute(
        connection,
        "update invitations set revoked_ns = %s where project = %s and id = %s",
        now_ns,
        gift.project,
        gift.id,
    )


async def discard_links_by(connection: Connection, giver: str, now_ns: int) -> None:
    """Make the unused sign-in links useless that a person made for others."""
    await execute(
        connection, "update sign_in_links set used_ns = %s where created_by = %s and used_ns is null", now_ns, giver
    )
