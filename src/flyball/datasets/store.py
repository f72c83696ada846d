"""All SQL of datasets: connection in, records out. The rows themselves are in the lake (`tables`)."""

import msgspec
from psycopg.types.json import Jsonb

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Dataset, DatasetVersion, Declaration


async def insert(connection: Connection, dataset: Dataset) -> None:
    """Write a new dataset."""
    await execute(
        connection,
        """
        insert into datasets (id, project, name, kind, declaration, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s)
        """,
        dataset.id,
        dataset.project,
        dataset.name,
        dataset.kind,
        Jsonb(msgspec.to_builtins(dataset.declaration) or {}),
        dataset.created_ns,
        dataset.created_by,
    )


async def update_declaration(connection: Connection, dataset: Dataset, declaration: Declaration) -> None:
    """Change where the next import takes it from."""
    await execute(
        connection,
        "update datasets set declaration = %s where project = %s and id = %s",
        Jsonb(msgspec.to_builtins(declaration)),
        dataset.project,
        dataset.id,
    )


async def get(connection: Connection, project: str, name: str) -> Dataset | None:
    """The dataset of that name."""
    row = await fetch_one(connection, "select * from datasets where project = %s and name = %s", project, name)
    return _dataset(row) if row else None


async def get_locked(connection: Connection, project: str, name: str) -> Dataset | None:
    """The same, held until the transaction ends: version numbers are given out one at a time."""
    row = await fetch_one(
        connection, "select * from datasets where project = %s and name = %s for update", project, name
    )
    return _dataset(row) if row else None


async def all_datasets(connection: Connection, project: str) -> tuple[Dataset, ...]:
    """Every dataset of the project, by name."""
    rows = await fetch_all(connection, "select * from datasets where project = %s order by name", project)
    return tuple(_dataset(row) for row in rows)


async def insert_version(connection: Connection, version: DatasetVersion) -> None:
    """Write one version."""
    await execute(
        connection,
        """
        insert into dataset_versions (id, project, dataset_id, dataset, kind, version, hash, rows, parts, parents,
                                      source, licences, splits, card, run_id, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        version.id,
        version.project,
        version.dataset_id,
        version.dataset,
        version.kind,
        version.version,
        version.hash,
        version.rows,
        Jsonb(msgspec.to_builtins(version.parts)),
        Jsonb(msgspec.to_builtins(version.parents)),
        Jsonb(msgspec.to_builtins(version.source) or {}),
        Jsonb(version.licences),
        Jsonb(version.splits),
        Jsonb(msgspec.to_builtins(version.card)),
        version.run_id,
        version.created_ns,
        version.created_by,
    )


async def get_version(
    connection: Connection, project: str, name: str, version: int | None = None
) -> DatasetVersion | None:
    """The newest version of a dataset, or the asked one."""
    row = await fetch_one(
        connection,
        """
        select * from dataset_versions
        where project = %s and dataset = %s and version = coalesce(%s::integer, version)
        order by version desc limit 1
        """,
        project,
        name,
        version,
    )
    return _version(row) if row else None


async def get_version_by_id(connection: Connection, project: str, id_: str) -> DatasetVersion | None:
    """The version with that id."""
    row = await fetch_one(connection, "select * from dataset_versions where project = %s and id = %s", project, id_)
    return _version(row) if row else None


async def versions(connection: Connection, project: str, name: str) -> tuple[DatasetVersion, ...]:
    """Every version of a dataset, newest first."""
    rows = await fetch_all(
        connection,
        "select * from dataset_versions where project = %s and dataset = %s order by version desc",
        project,
        name,
    )
    return tuple(_version(row) for row in rows)


async def newest_versions(connection: Connection, project: str) -> tuple[DatasetVersion, ...]:
    """The newest version of every dataset that has one, by name."""
    rows = await fetch_all(
        connection,
        "select distinct on (dataset) * from dataset_versions where project = %s order by dataset, version desc",
        project,
    )
    return tuple(_version(row) for row in rows)


def _dataset(row: Row) -> Dataset:
    return msgspec.convert({**row, "declaration": row["declaration"] or None}, Dataset)


def _version(row: Row) -> DatasetVersion:
    return msgspec.convert({**row, "source": row["source"] or None}, DatasetVersion)
