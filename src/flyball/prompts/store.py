"""All SQL of prompts: connection in, records out."""

import msgspec

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one

from .records import Prompt


async def insert(connection: Connection, prompt: Prompt) -> None:
    """Write one version."""
    await execute(
        connection,
        """
        insert into prompt_versions (id, project, name, version, hash, path, source, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        *msgspec.structs.astuple(prompt),
    )


async def get(connection: Connection, project: str, name: str, version: int | None = None) -> Prompt | None:
    """The newest version of a name, or the asked one."""
    row = await fetch_one(
        connection,
        """
        select * from prompt_versions
        where project = %s and name = %s and version = coalesce(%s::integer, version)
        order by version desc limit 1
        """,
        project,
        name,
        version,
    )
    return msgspec.convert(row, Prompt) if row else None


async def all_current(connection: Connection, project: str | None = None) -> tuple[Prompt, ...]:
    """The newest version of every name, by name; of every project unless one is given."""
    rows = await fetch_all(
        connection,
        """
        select distinct on (project, name) * from prompt_versions
        where project = coalesce(%s::text, project) order by project, name, version desc
        """,
        project,
    )
    return msgspec.convert(rows, tuple[Prompt, ...])


async def versions(connection: Connection, project: str, name: str) -> tuple[Prompt, ...]:
    """Every version of a name, newest first."""
    rows = await fetch_all(
        connection,
        "select * from prompt_versions where project = %s and name = %s order by version desc",
        project,
        name,
    )
    return msgspec.convert(rows, tuple[Prompt, ...])
