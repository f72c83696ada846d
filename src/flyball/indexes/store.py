"""All SQL of indexes: connection in, records out. The files of a version are `retriever`'s."""

import msgspec
from psycopg.types.json import Jsonb

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Index, IndexDeclaration, IndexVersion


async def insert(connection: Connection, index: Index) -> None:
    """Write a new index."""
    await execute(
        connection,
        """
        insert into indexes (id, project, name, declaration, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s)
        """,
        index.id,
        index.project,
        index.name,
        Jsonb(msgspec.to_builtins(index.declaration)),
        index.created_ns,
        index.created_by,
    )


async def update_declaration(connection: Connection, index: Index, declaration: IndexDeclaration) -> None:
    """Change what the next build is made from."""
    await execute(
        connection,
        "update indexes set declaration = %s where project = %s and id = %s",
        Jsonb(msgspec.to_builtins(declaration)),
        index.project,
        index.id,
    )


async def get(connection: Connection, project: str, name: str) -> Index | None:
    """The index of that name."""
    row = await fetch_one(connection, "select * from indexes where project = %s and name = %s", project, name)
    return msgspec.convert(row, Index) if row else None


async def get_locked(connection: Connection, project: str, name: str) -> Index | None:
    """The same, held until the transaction ends: version numbers are given out one at a time."""
    row = await fetch_one(
        connection, "select * from indexes where project = %s and name = %s for update", project, name
    )
    return msgspec.convert(row, Index) if row else None


async def all_indexes(connection: Connection, project: str) -> tuple[Index, ...]:
    """Every index of the project, by name."""
    rows = await fetch_all(connection, "select * from indexes where project = %s order by name", project)
    return tuple(msgspec.convert(row, Index) for row in rows)


async def insert_version(connection: Connection, version: IndexVersion) -> None:
    """Write one version."""
    await execute(
        connection,
        """
        insert into index_versions (id, project, index_id, name, version, hash, dataset, dataset_version_id,
                                    dataset_version, dataset_hash, settings, documents, chunks, run_id,
                                    created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        version.id,
        version.project,
        version.index_id,
        version.name,
        version.version,
        version.hash,
        version.dataset,
        version.dataset_version_id,
        version.dataset_version,
        version.dataset_hash,
        Jsonb(msgspec.to_builtins(version.settings)),
        version.documents,
        version.chunks,
        version.run_id,
        version.created_ns,
        version.created_by,
    )


async def current_version(connection: Connection, project: str, name: str) -> IndexVersion | None:
    """The newest version of an index; None where it was never built."""
    return await get_version(connection, project, name)


async def get_version(
    connection: Connection, project: str, name: str, version: int | None = None
) -> IndexVersion | None:
    """The newest version of an index, or the asked one."""
    row = await fetch_one(
        connection,
        """
        select * from index_versions
        where project = %s and name = %s and version = coalesce(%s::integer, version)
        order by version desc limit 1
        """,
        project,
        name,
        version,
    )
    return _version(row) if row else None


async def get_version_by_id(connection: Connection, project: str, id_: str) -> IndexVersion | None:
    """The version with that id."""
    row = await fetch_one(connection, "select * from index_versions where project = %s and id = %s", project, id_)
    return _version(row) if row else None


async def versions(connection: Connection, project: str, name: str) -> tuple[IndexVersion, ...]:
    """Every version of an index, newest first."""
    rows = await fetch_all(
        connection,
        "select * from index_versions where project = %s and name = %s order by version desc",
        project,
        name,
    )
    return tuple(_version(row) for row in rows)


async def newest_versions(connection: Connection, project: str) -> tuple[IndexVersion, ...]:
    """The newest version of every index that was built, by name."""
    rows = await fetch_all(
        connection,
        "select distinct on (name) * from index_versions where project = %s order by name, version desc",
        project,
    )
    return tuple(_version(row) for row in rows)


def _version(row: Row) -> IndexVersion:
    return msgspec.convert(row, IndexVersion)
