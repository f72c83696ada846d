"""The verbs of items: a dataset that is collected one item at a time, and a version frozen from it when one is needed.

Items live in PostgreSQL, each with its past, so that the dataset can be seen as it was at any moment. A version is immutable rows
in the lake like any other: evaluations use versions, never items.
"""

import asyncio

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.ids import new_id

from . import item_store as store
from . import store as datasets
from .creating import create
from .errors import DatasetNotFoundError, EmptyDatasetError, ItemNotFoundError, ItemTakenError, NotCollectedError
from .item_records import About, Item
from .publishing import publish
from .reading import get_dataset
from .records import UNKNOWN_LICENCE, Card, Dataset, DatasetVersion, Part, Row
from .rows import DATASET_ROWS, first_hash, made_of, next_hash, to_columns
from .sources.found import Found

NOW = 2**62  # a moment that has not come: items as they are
_MOST_ITEMS = 1_000_000
_AT_ONCE = 5_000


async def describe(ctx: Context, name: str, about: About) -> Dataset:
    """A dataset of that name with what is said of it, made where there is none. Raises DatasetNameError, DatasetKindError."""
    said = msgspec.structs.replace(about, updated_ns=ctx.clock.now_ns())
    async with ctx.db.transaction() as connection:
        dataset = await datasets.get_locked(connection, ctx.project, name)
        if dataset is None:
            dataset = await create(connection, ctx, name, "rows", None)
        before = (await store.abouts(connection, ctx.project)).get(dataset.id)
        await store.put_about(connection, ctx.project, dataset.id, said)
        await audit.record(
            connection,
            ctx,
            action="datasets.describe",
            object_kind="dataset",
            object_id=dataset.id,
            object_name=name,
            before=before,
            after=said,
        )
    return dataset


async def list_abouts(ctx: Context) -> dict[str, About]:
    """What is said of the project's datasets, by their ids."""
    async with ctx.db.connection() as connection:
        return await store.abouts(connection, ctx.project)


async def put_item(ctx: Context, item: Item) -> Item:
    """Put an item into its dataset, or in the place of the one that has its id; the same again changes nothing.

    Raises:
        DatasetNotFoundError: there is no such dataset.
        NotCollectedError: the dataset is imported from a source.
        ItemTakenError: an item of another dataset has this id.
    """
    now_ns = ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        dataset = await _collected(connection, ctx, item.dataset)
        before = await store.get_item(connection, ctx.project, item.item_id, locked=True)
        if before is not None and before.dataset_id != dataset.id:
            raise ItemTakenError(item.item_id, before.dataset)
        after = msgspec.structs.replace(
            item,
            dataset_id=dataset.id,
            since_ns=max(now_ns, before.since_ns + 1) if before else now_ns,
            created_ns=before.created_ns if before else now_ns,
            created_by=before.created_by if before else ctx.actor.id,
        )
        if before is not None and before == msgspec.structs.replace(after, since_ns=before.since_ns):
            return before
        await _replace(connection, ctx, before, after)
    return after


async def remove_item(ctx: Context, item_id: str) -> Item:
    """Take an item out of its dataset; its past stays. Raises ItemNotFoundError."""
    async with ctx.db.transaction() as connection:
        before = await store.get_item(connection, ctx.project, item_id, locked=True)
        if before is None:
            raise ItemNotFoundError(item_id)
        await store.end_item(connection, ctx.project, item_id, max(ctx.clock.now_ns(), before.since_ns + 1))
        await _note(connection, ctx, "datasets.remove_item", before, None)
    return before


async def get_item(ctx: Context, item_id: str) -> Item:
    """The item as it is now. Raises ItemNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await store.get_item(connection, ctx.project, item_id)
    if found is None:
        raise ItemNotFoundError(item_id)
    return found


async def find_item(ctx: Context, item_id: str) -> Item | None:
    """The item as it is now, if there is one."""
    async with ctx.db.connection() as connection:
        return await store.get_item(connection, ctx.project, item_id)


async def list_items(
    ctx: Context,
    dataset_id: str = "",
    *,
    trace_id: str = "",
    span_id: str = "",
    at_ns: int = NOW,
    skipped: int = 0,
    most: int = _AT_ONCE,
) -> tuple[tuple[Item, ...], int]:
    """Items as they were at a moment, newest first, archived ones included; and how many there are in all."""
    wanted = {"dataset_id": dataset_id, "trace_id": trace_id, "span_id": span_id, "at_ns": at_ns}
    async with ctx.db.connection() as connection:
        found = await store.items(connection, ctx.project, wanted, skipped=skipped, most=most)
        return found, await store.count_items(connection, ctx.project, wanted)


async def freeze(ctx: Context, name: str) -> DatasetVersion:
    """A version of the items that are active now, oldest first; the newest one where it has this content already.

    Raises:
        DatasetNotFoundError, NotCollectedError: there is nothing that items are put into.
        EmptyDatasetError: no item is active.
    """
    dataset = await get_dataset(ctx, name)
    found, _ = await list_items(ctx, dataset.id, at_ns=ctx.clock.now_ns(), most=_MOST_ITEMS)
    active = [item for item in reversed(found) if item.status == "ACTIVE"]
    if dataset.declaration is not None:
        raise NotCollectedError(name)
    if not active:
        raise EmptyDatasetError(f"no item of {name!r} is active", next_step="put items into it, then freeze it")
    rows = [made_of(_found(item), number, _lineage(item)) for number, item in enumerate(active)]
    version = _version(ctx, dataset, rows)
    for number, first in enumerate(range(0, len(rows), _AT_ONCE)):
        await asyncio.to_thread(_append, ctx, dataset, version.id, rows[first : first + _AT_ONCE], number)
    published = await publish(ctx, version)
    assert published is not None  # noqa: S101 -- only a conditional publication may be refused
    return published


async def _collected(connection: Connection, ctx: Context, name: str) -> Dataset:
    dataset = await datasets.get(connection, ctx.project, name)
    if dataset is None:
        raise DatasetNotFoundError(name)
    if dataset.declaration is not None or dataset.kind != "rows":
        raise NotCollectedError(name)
    return dataset


async def _replace(connection: Connection, ctx: Context, before: Item | None, after: Item) -> None:
    if before is not None:
        await store.end_item(connection, ctx.project, after.item_id, after.since_ns)
    await store.insert_item(connection, ctx.project, after)
    await _note(connection, ctx, "datasets.put_item", before, after)


async def _note(connection: Connection, ctx: Context, action: str, before: Item | None, after: Item | None) -> None:
    item = after or before
    assert item is not None  # noqa: S101 -- one of the two is given
    await audit.record(
        connection,
        ctx,
        action=action,
        object_kind="dataset_item",
        object_id=item.item_id,
        object_name=f"{item.item_id} of {item.dataset}",
        before=before,
        after=after,
    )


def _found(item: Item) -> Found:
    fields = item.input if isinstance(item.input, dict) else {}
    said = {"input": item.input, "expected": item.expected_output, "metadata": item.metadata}
    return Found(
        row_id=item.item_id,
        title=item.item_id,
        text=item.input if isinstance(item.input, str) else "",
        source=f"trace:{item.source_trace_id}" if item.source_trace_id else f"item:{item.item_id}",
        licence=UNKNOWN_LICENCE,
        data={**fields, **said, "id": item.item_id},
    )


def _lineage(item: Item) -> dict[str, str]:
    made_of_trace = {"trace": item.source_trace_id, "span": item.source_span_id} if item.source_trace_id else {}
    return {"item": item.item_id, "added_by": item.created_by, **made_of_trace}


def _version(ctx: Context, dataset: Dataset, rows: list[Row]) -> DatasetVersion:
    hash_ = first_hash(dataset.kind)
    for row in rows:
        hash_ = next_hash(hash_, row.hash)
    now_ns = ctx.clock.now_ns()
    id_ = new_id("dsv", now_ns)
    return DatasetVersion(
        id=id_,
        project=ctx.project,
        dataset_id=dataset.id,
        dataset=dataset.name,
        kind=dataset.kind,
        version=0,  # given at publication
        hash=hash_,
        rows=len(rows),
        parts=(Part(id=id_, rows=len(rows)),),
        parents=(),
        source=None,
        licences={UNKNOWN_LICENCE: len(rows)},
        splits={rows[0].split: len(rows)},
        card=Card(summary=f"{len(rows):,} items that were put in one by one", counts={"row": len(rows)}),
        created_ns=now_ns,
        created_by=ctx.actor.id,
    )


def _append(ctx: Context, dataset: Dataset, part: str, rows: list[Row], number: int) -> None:
    named = {"project": ctx.project, "dataset_id": dataset.id, "part_id": part}
    columns = [{**to_columns(row), **named} for row in rows]
    ctx.lake.append(DATASET_ROWS, columns, writer=f"dataset:{part}", sequence=number)
