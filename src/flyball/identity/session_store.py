"""All SQL of sessions, sign-in links and steps. No clock, no ids, no authorisation."""

from typing import NamedTuple

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Session

_SESSION = """
    select s.id, s.project, s.member, m.name as member_name, s.method, s.created_ns, s.expires_ns, s.used_ns, s.address,
        s.user_agent, f.confirmed_ns is not null as has_factor
    from sessions s join members m on m.id = s.member left join second_factors f on f.member = s.member
    where s.revoked_ns is null and s.expires_ns > %s and s.used_ns > %s and s.used_ns < %s and m.removed_ns is null
"""
_LIVE_BY_HASH = f"{_SESSION} and s.hash = %s"
_LIVE_OF_PROJECT = f"{_SESSION} and s.project = %s order by s.created_ns desc, s.id desc limit %s"
_LIVE_OF_MEMBER = f"{_SESSION} and s.member = %s order by s.used_ns desc, s.id desc limit %s"
_REVOKE = "update sessions set revoked_ns = %s where revoked_ns is null"
_REVOKE_BY_HASH = f"{_REVOKE} and hash = %s returning id"
_REVOKE_OF_MEMBER = f"{_REVOKE} and member = %s"
_REVOKE_IN_PROJECT = f"{_REVOKE} and project = %s and id = %s returning member"
_REVOKE_OWN = f"{_REVOKE} and member = %s and id = %s"

_UNTOUCHED = """
    select m.id from members m
    where m.id = %s and m.password_verifier is null
        and not exists (select from sessions s where s.member = m.id)
        and not exists (select from sign_in_identities i where i.member = m.id)
"""


class Times(NamedTuple):
    """Which sessions live: they end after `now_ns`, and were last used after `idle_ns` and not later than `latest_ns`."""

    now_ns: int
    idle_ns: int
    latest_ns: int


class Link(NamedTuple):
    """A sign-in link, and the name of its member."""

    id: str
    project: str
    name: str


async def insert_session(connection: Connection, session: Session, hash_: bytes) -> None:
    """Write a session and the hash that its token is looked up by."""
    await execute(
        connection,
        "insert into sessions (id, project, member, hash, method, created_ns, expires_ns, used_ns, address, user_agent) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        session.id,
        session.project,
        session.member,
        hash_,
        session.method,
        session.created_ns,
        session.expires_ns,
        session.used_ns,
        session.address,
        session.user_agent,
    )


async def live_session(connection: Connection, hash_: bytes, times: Times) -> tuple[Session, bool] | None:
    """The session with this hash that lives, and whether its member has a second factor."""
    row = await fetch_one(connection, _LIVE_BY_HASH, *times, hash_)
    return (_session(row), row["has_factor"]) if row else None


async def live_sessions(connection: Connection, project: str, times: Times, most: int) -> list[Session]:
    """A project's live sessions, newest first."""
    return [_session(row) for row in await fetch_all(connection, _LIVE_OF_PROJECT, *times, project, most)]


async def live_sessions_of(connection: Connection, member_id: str, times: Times, most: int) -> list[Session]:
    """A member's live sessions in all projects, last used first."""
    return [_session(row) for row in await fetch_all(connection, _LIVE_OF_MEMBER, *times, member_id, most)]


async def note_use(connection: Connection, session_id: str, now_ns: int) -> None:
    """Write when a session was last used."""
    await execute(connection, "update sessions set used_ns = %s where id = %s", now_ns, session_id)


async def revoke_by_hash(connection: Connection, hash_: bytes, now_ns: int) -> str:
    """End the session with this hash; its id, empty where there was none to end."""
    row = await fetch_one(connection, _REVOKE_BY_HASH, now_ns, hash_)
    return row["id"] if row else ""


async def revoke_session(connection: Connection, project: str, session_id: str, now_ns: int) -> str:
    """End one session of a project; its member's id, empty where there was none to end."""
    row = await fetch_one(connection, _REVOKE_IN_PROJECT, now_ns, project, session_id)
    return row["member"] if row else ""


async def revoke_own_session(connection: Connection, member_id: str, session_id: str, now_ns: int) -> bool:
    """End one session of a member, in whatever project; False where there was none to end."""
    return bool(await execute(connection, _REVOKE_OWN, now_ns, member_id, session_id))


async def revoke_sessions_of(connection: Connection, member_id: str, now_ns: int) -> int:
    """End every session of a member; how many there were."""
    return await execute(connection, _REVOKE_OF_MEMBER, now_ns, member_id)


async def revoke_sessions_by_password(connection: Connection, organisation: str, now_ns: int) -> int:
    """End every session of an organisation's members but its owners' that no provider vouches for; how many there were."""
    return await execute(
        connection,
        "update sessions set revoked_ns = %s from members m where m.id = sessions.member and m.organisation = %s "
        "and not m.owner and sessions.revoked_ns is null and sessions.method not like 'provider %%'",
        now_ns,
        organisation,
    )


async def set_project(connection: Connection, session_id: str, project: str, hash_: bytes) -> None:
    """Let a session act in another project, under another token."""
    await execute(connection, "update sessions set project = %s, hash = %s where id = %s", project, hash_, session_id)


async def set_hash(connection: Connection, session_id: str, hash_: bytes) -> None:
    """Give a session another token; the one before is worth nothing any more."""
    await execute(connection, "update sessions set hash = %s where id = %s", hash_, session_id)


async def insert_link(
    connection: Connection,
    link_id: str,
    member_id: str,
    project: str,
    hash_: bytes,
    *,
    made: tuple[str, int],
    expires_ns: int,
) -> None:
    """Write a one-time link; `made` is by whom and when."""
    created_by, created_ns = made
    await execute(
        connection,
        "insert into sign_in_links (id, project, member, hash, created_by, created_ns, expires_ns) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        link_id,
        project,
        member_id,
        hash_,
        created_by,
        created_ns,
        expires_ns,
    )


async def use_link(connection: Connection, hash_: bytes, now_ns: int) -> tuple[str, str] | None:
    """Use up the link with this hash, once; its project and its member's id, or None for one that does not work (any more)."""
    row = await fetch_one(
        connection,
        "update sign_in_links set used_ns = %s where hash = %s and used_ns is null and expires_ns > %s "
        "returning project, member",
        now_ns,
        hash_,
        now_ns,
    )
    return (row["project"], row["member"]) if row else None


async def get_link(connection: Connection, hash_: bytes) -> Link | None:
    """For whom a link was made, however long ago."""
    row = await fetch_one(
        connection,
        "select l.id, l.project, m.name from sign_in_links l join members m on m.id = l.member where l.hash = %s",
        hash_,
    )
    return Link(**row) if row else None


async def discard_links_of(connection: Connection, member_id: str, now_ns: int) -> None:
    """Make every unused link of a member useless."""
    await execute(
        connection, "update sign_in_links set used_ns = %s where member = %s and used_ns is null", now_ns, member_id
    )


async def take_untouched(connection: Connection, member_id: str, now_ns: int) -> bool:
    """Whether nobody has ever been this member, by a session, a password or an account; then their links are useless from now on.

    Waits for whoever is using one of the links at this moment.
    """
    await fetch_all(
        connection, "select id from sign_in_links where member = %s and used_ns is null for update", member_id
    )
    if await fetch_one(connection, _UNTOUCHED, member_id) is None:
        return False
    await discard_links_of(connection, member_id, now_ns)
    return True


async def insert_step(
    connection: Connection, hash_: bytes, project: str, member_id: str, *, method: str, expires_ns: int
) -> None:
    """Write half a sign-in."""
    await execute(
        connection,
        "insert into sign_in_steps (hash, project, member, method, expires_ns) values (%s, %s, %s, %s, %s)",
        hash_,
        project,
        member_id,
        method,
        expires_ns,
    )


async def get_step(connection: Connection, hash_: bytes, now_ns: int) -> tuple[str, str, str] | None:
    """Project, member and method of half a sign-in, locked until the transaction ends; None for one that is over."""
    row = await fetch_one(
        connection,
        "select project, member, method from sign_in_steps where hash = %s and expires_ns > %s for update",
        hash_,
        now_ns,
    )
    return (row["project"], row["member"], row["method"]) if row else None


async def delete_steps(connection: Connection, hash_: bytes, now_ns: int) -> None:
    """Forget half a sign-in, and all that are over."""
    await execute(connection, "delete from sign_in_steps where hash = %s or expires_ns <= %s", hash_, now_ns)


async def delete_steps_of(connection: Connection, member_id: str) -> None:
    """Forget every half sign-in of a member."""
    await execute(connection, "delete from sign_in_steps where member = %s", member_id)


async def delete_steps_in(connection: Connection, organisation: str) -> None:
    """Forget every half sign-in of an organisation's members."""
    await execute(
        connection,
        "delete from sign_in_steps where member in (select id from members where organisation = %s)",
        organisation,
    )


def _session(row: Row) -> Session:
    return Session(**{name: row[name] for name in Session.__struct_fields__})
