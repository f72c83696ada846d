"""All SQL of media and of the tickets for them: connection in, records out."""

import msgspec

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one

from .media_records import Media, Ticket


async def insert(connection: Connection, media: Media) -> None:
    """Write what was announced, once; announced again for a trace, it is kept for as long as what happens now."""
    await execute(
        connection,
        """
        insert into media (
            project, media_id, hash, content_type, bytes, created_ns, created_by, trace_id, span_id, field, uploaded_ns, announced_ns
        ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (project, media_id) do update set announced_ns =
            case when media.announced_ns is not null then excluded.announced_ns end
        """,
        *msgspec.structs.astuple(media),
        media.created_ns if media.trace_id else None,
    )


async def get(connection: Connection, project: str, media_id: str) -> Media | None:
    """What has that id."""
    row = await fetch_one(connection, "select * from media where project = %s and media_id = %s", project, media_id)
    return msgspec.convert(row, Media) if row else None


async def expire(connection: Connection, project: str, before_ns: int) -> list[str]:
    """Forget the files that were announced for traces, and last before; their hashes."""
    rows = await fetch_all(
        connection, "delete from media where project = %s and announced_ns < %s returning hash", project, before_ns
    )
    return [row["hash"] for row in rows]


async def set_uploaded(connection: Connection, project: str, media_id: str, uploaded_ns: int) -> None:
    """Its bytes are here."""
    await execute(
        connection,
        "update media set uploaded_ns = %s where project = %s and media_id = %s and uploaded_ns is null",
        uploaded_ns,
        project,
        media_id,
    )


async def insert_ticket(connection: Connection, digest: bytes, ticket: Ticket, now_ns: int) -> None:
    """Write a ticket, and forget those that have expired."""
    await execute(
        connection, "delete from media_tickets where project = %s and expires_ns < %s", ticket.project, now_ns
    )
    await execute(
        connection,
        "insert into media_tickets (hash, project, media_id, deed, expires_ns) values (%s, %s, %s, %s, %s)",
        digest,
        *msgspec.structs.astuple(ticket),
    )


async def get_ticket(connection: Connection, digest: bytes) -> Ticket | None:
    """The ticket of that hash."""
    row = await fetch_one(
        connection, "select project, media_id, deed, expires_ns from media_tickets where hash = %s", digest
    )
    return msgspec.convert(row, Ticket) if row else None
