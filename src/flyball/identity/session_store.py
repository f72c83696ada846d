"""All SQL of sessions and sign-in links. No clock, no ids, no authorisation."""

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Session

_SESSION = "s.id, s.project, s.member, m.name as member_name, s.method, s.created_ns, s.expires_ns"
_LIVE = "s.revoked_ns is null and s.expires_ns > %s and m.removed_ns is null"
_LIVE_BY_HASH = f"""
    select {_SESSION} from sessions s join members m on m.id = s.member
    where s.hash = %s and {_LIVE}
"""
_LIVE_NEWEST = f"""
    select {_SESSION} from sessions s join members m on m.id = s.member
    where s.project = %s and {_LIVE} order by s.created_ns desc, s.id desc limit %s
"""


async def insert_session(connection: Connection, session: Session, hash_: bytes) -> None:
    """Write a session and the hash that its token is looked up by."""
    await execute(
        connection,
        "insert into sessions (id, project, member, hash, method, created_ns, expires_ns) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        session.id,
        session.project,
        session.member,
        hash_,
        session.method,
        session.created_ns,
        session.expires_ns,
    )


async def live_session(connection: Connection, hash_: bytes, now_ns: int) -> Session | None:
    """The session with this hash that is neither expired nor revoked."""
    row = await fetch_one(
        connection,
        _LIVE_BY_HASH,
        hash_,
        now_ns,
    )
    return _session(row) if row else None


async def live_sessions(connection: Connection, project: str, now_ns: int, most: int) -> list[Session]:
    """A project's live sessions, newest first."""
    rows = await fetch_all(
        connection,
        _LIVE_NEWEST,
        project,
        now_ns,
        most,
    )
    return [_session(row) for row in rows]


async def revoke_session(connection: Connection, project: str, session_id: str, now_ns: int) -> bool:
    """End one session; False where there was none to end."""
    return bool(
        await execute(
            connection,
            "update sessions set revoked_ns = %s where project = %s and id = %s and revoked_ns is null",
            now_ns,
            project,
            session_id,
        )
    )


async def set_project(connection: Connection, session_id: str, project: str) -> None:
    """Let a session act in another project."""
    await execute(connection, "update sessions set project = %s where id = %s", project, session_id)


async def revoke_sessions_of(connection: Connection, member_id: str, now_ns: int) -> int:
    """End every session of a member; how many there were."""
    return await execute(
        connection,
        "update sessions set revoked_ns = %s where member = %s and revoked_ns is null",
        now_ns,
        member_id,
    )


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


async def discard_links_of(connection: Connection, member_id: str, now_ns: int) -> None:
    """Make every unused link of a member useless."""
    await execute(
        connection, "update sign_in_links set used_ns = %s where member = %s and used_ns is null", now_ns, member_id
    )


def _session(row: Row) -> Session:
    return Session(**{name: row[name] for name in Session.__struct_fields__})
