"""All SQL of releases and approvals: connection in, records out."""

import msgspec
from psycopg.types.json import Jsonb

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one

from .records import Approval, Release, Status


async def insert(connection: Connection, release: Release) -> None:
    """Write a new release."""
    await execute(
        connection,
        """
        insert into releases (id, project, function, version, hash, bundle, status, created_ns, created_by, served_ns,
                              ended_ns)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        release.id,
        release.project,
        release.function,
        release.version,
        release.hash,
        Jsonb(msgspec.to_builtins(release.bundle)),
        release.status,
        release.created_ns,
        release.created_by,
        release.served_ns,
        release.ended_ns,
    )


async def lock_function(connection: Connection, project: str, function: str) -> None:
    """Wait for, and hold until the transaction ends, the right to change what is released for the function."""
    await execute(connection, "select pg_advisory_xact_lock(hashtextextended(%s, 0))", f"releases/{project}/{function}")


async def next_version(connection: Connection, project: str, function: str) -> int:
    """The number of the function's next release; call it under the function's lock."""
    row = await fetch_one(
        connection,
        "select coalesce(max(version), 0) + 1 as version from releases where project = %s and function = %s",
        project,
        function,
    )
    return int(row["version"]) if row else 1


async def get(connection: Connection, project: str, id_: str) -> Release | None:
    """The release with that id."""
    row = await fetch_one(connection, "select * from releases where project = %s and id = %s", project, id_)
    return msgspec.convert(row, Release) if row else None


async def get_live(connection: Connection, project: str, function: str) -> Release | None:
    """The release that serves the function now."""
    row = await fetch_one(
        connection,
        "select * from releases where project = %s and function = %s and status = 'live'",
        project,
        function,
    )
    return msgspec.convert(row, Release) if row else None


async def newest(
    connection: Connection, project: str, *, function: str | None, before: tuple[int, str] | None, most: int
) -> tuple[Release, ...]:
    """Releases, newest first; of one function where asked; those after the sort key `before`."""
    before_ns, before_id = before or (None, None)
    rows = await fetch_all(
        connection,
        """
        select * from releases
        where project = %s and function = coalesce(%s::text, function)
          and (%s::bigint is null or (created_ns, id) < (%s::bigint, %s::text))
        order by created_ns desc, id desc limit %s
        """,
        project,
        function,
        before_ns,
        before_ns,
        before_id,
        most,
    )
    return msgspec.convert(rows, tuple[Release, ...])


async def set_status(
    connection: Connection,
    release: Release,
    status: Status,
    *,
    served_ns: int | None = None,
    ended_ns: int | None = None,
) -> None:
    """Move a release on; times that are not given stay as they are."""
    await execute(
        connection,
        """
        update releases set status = %s, served_ns = coalesce(%s::bigint, served_ns), ended_ns = coalesce(%s::bigint, ended_ns)
        where project = %s and id = %s
        """,
        status,
        served_ns,
        ended_ns,
        release.project,
        release.id,
    )


async def insert_approval(connection: Connection, approval: Approval) -> None:
    """Write a decision."""
    await execute(
        connection,
        """
        insert into release_approvals (id, project, release_id, member, member_name, decision, comment, bundle_hash,
                                       created_ns)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        approval.id,
        approval.project,
        approval.release_id,
        approval.member,
        approval.member_name,
        approval.decision,
        approval.comment,
        approval.bundle_hash,
        approval.created_ns,
    )


async def approvals_of(connection: Connection, project: str, release_id: str) -> tuple[Approval, ...]:
    """The decisions on a release, oldest first."""
    rows = await fetch_all(
        connection,
        "select * from release_approvals where project = %s and release_id = %s order by created_ns, id",
        project,
        release_id,
    )
    return msgspec.convert(rows, tuple[Approval, ...])
