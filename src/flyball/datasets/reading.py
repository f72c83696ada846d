"""Looking at datasets, versions and rows. Changes nothing."""

import asyncio
from typing import Any

import msgspec

from flyball.infra.context import Context
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import store
from .errors import DatasetNotFoundError, DatasetVersionNotFoundError
from .records import Dataset, DatasetVersion, Row
from .rows import DATASET_ROWS, from_columns

_COLUMNS = ", ".join(Row.__struct_fields__)


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset in a list: itself and its newest version, if it has one."""

    dataset: Dataset
    newest: DatasetVersion | None


async def list_datasets(ctx: Context) -> tuple[Overview, ...]:
    """Every dataset of the project, by name."""
    async with ctx.db.connection() as connection:
        datasets = await store.all_datasets(connection, ctx.project)
        newest = {v.dataset: v for v in await store.newest_versions(connection, ctx.project)}
    return tuple(Overview(dataset=dataset, newest=newest.get(dataset.name)) for dataset in datasets)


async def get_dataset(ctx: Context, name: str) -> Dataset:
    """The dataset of that name. Raises DatasetNotFoundError."""
    async with ctx.db.connection() as connection:
        dataset = await store.get(connection, ctx.project, name)
    if dataset is None:
        raise DatasetNotFoundError(name)
    return dataset


async def get_version(ctx: Context, name: str, version: int | None = None) -> DatasetVersion:
    """The newest version, or the asked one. Raises DatasetNotFoundError, DatasetVersionNotFoundError."""
    await get_dataset(ctx, name)
    async with ctx.db.connection() as connection:
        found = await store.get_version(connection, ctx.project, name, version)
    if found is None:
        raise DatasetVersionNotFoundError(name, version)
    return found


async def get_version_by_id(ctx: Context, id_: str) -> DatasetVersion:
    """The version with that id. Raises DatasetVersionNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await store.get_version_by_id(connection, ctx.project, id_)
    if found is None:
        raise DatasetVersionNotFoundError(id_)
    return found


async def list_versions(ctx: Context, name: str) -> tuple[DatasetVersion, ...]:
    """Every version of a dataset, newest first. Raises DatasetNotFoundError."""
    await get_dataset(ctx, name)
    async with ctx.db.connection() as connection:
        return await store.versions(connection, ctx.project, name)


async def rows(ctx: Context, version: DatasetVersion, cursor: str = "", limit: int | None = None) -> Page[Row]:
    """A page of the version's rows, in their order."""
    size = page_size(limit)
    first = decode_cursor(cursor, int)[0] if cursor else 0
    found = await read_rows(ctx, version, first=first, count=size)
    more = encode_cursor(first + size) if first + size < version.rows else None
    return Page(items=tuple(found), next=more, total=version.rows)


async def read_rows(ctx: Context, version: DatasetVersion, *, first: int = 0, count: int | None = None) -> list[Row]:
    """`count` rows from position `first` on (all of them where None), in their order."""
    last = version.rows if count is None else first + count
    return await _read(ctx, version, "position >= $first and position < $last", {"first": first, "last": last})


async def get_row(ctx: Context, version: DatasetVersion, row_id: str) -> Row | None:
    """The row with that id; None where the version has none."""
    found = await _read(ctx, version, "row_id = $row_id", {"row_id": row_id})
    return found[0] if found else None


async def _read(ctx: Context, version: DatasetVersion, condition: str, parameters: dict[str, Any]) -> list[Row]:
    found = await asyncio.to_thread(
        ctx.lake.query,
        f"""
        select {_COLUMNS} from dataset_rows
        where project = $project and dataset_id = $dataset_id and part_id in (select unnest($parts)) and {condition}
        order by position
        """,
        {
            "project": version.project,
            "dataset_id": version.dataset_id,
            "parts": [part.id for part in version.parts],
            **parameters,
        },
        tables=[DATASET_ROWS],
        where={"dataset_rows": f"project = '{_quoted(version.project)}' and dataset_id = '{version.dataset_id}'"},
    )
    return [from_columns(columns) for columns in found]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
