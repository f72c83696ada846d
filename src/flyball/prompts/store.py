"""All SQL of prompts and their labels: connection in, records out."""

import msgspec
from psycopg.types.json import Json

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one

from .records import Label, Prompt


async def insert(connection: Connection, prompt: Prompt) -> None:
    """Write one version."""
    await execute(
        connection,
        """
        insert into prompt_versions (id, project, name, version, hash, path, source, created_ns, created_by, said)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        *msgspec.structs.astuple(prompt)[:-1],
        Json(msgspec.to_builtins(prompt.said)) if prompt.said is not None else None,
    )


async def lock(connection: Connection, project: str, name: str) -> None:
    """Hold the name until the transaction ends: version numbers are given out one at a time."""
    await execute(connection, "select pg_advisory_xact_lock(hashtextextended(%s, 35))", f"{project}/{name}")


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


async def set_label(connection: Connection, project: str, label: Label) -> None:
    """Have the label point to that version."""
    await execute(
        connection,
        """
        insert into prompt_labels (project, name, label, version, set_ns, set_by) values (%s, %s, %s, %s, %s, %s)
        on conflict (project, name, label)
        do update set version = excluded.version, set_ns = excluded.set_ns, set_by = excluded.set_by
        """,
        project,
        *msgspec.structs.astuple(label),
    )


async def remove_label(connection: Connection, project: str, name: str, label: str) -> bool:
    """Take the label away; False where there is none."""
    return (
        await execute(
            connection,
            "delete from prompt_labels where project = %s and name = %s and label = %s",
            project,
            name,
            label,
        )
        > 0
    )


async def labels(connection: Connection, project: str, name: str | None = None) -> tuple[Label, ...]:
    """The labels of one prompt, or of all, by name and label."""
    rows = await fetch_all(
        connection,
        """
        select name, label, version, set_ns, set_by from prompt_labels
        where project = %s and name = coalesce(%s::text, name) order by name, label
        """,
        project,
        name,
    )
    return msgspec.convert(rows, tuple[Label, ...])


async def every_version(connection: Connection, project: str) -> tuple[Prompt, ...]:
    """Every version of every prompt of the project, by name, newest first."""
    rows = await fetch_all(
        connection, "select * from prompt_versions where project = %s order by name, version desc", project
    )
    return msgspec.convert(rows, tuple[Prompt, ...])
