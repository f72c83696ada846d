"""Datasets and their items as Langfuse's clients make, list and change them, one by one. A version is frozen here, not there."""

from typing import Any

import msgspec

from flyball.audit import service as audit
from flyball.datasets import items, reading
from flyball.datasets.errors import DatasetNotFoundError
from flyball.datasets.item_records import About, Item, ItemId, Status, Title
from flyball.datasets.records import Dataset, Row
from flyball.functions.schemas import check_schema, problem_of
from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError
from flyball.kit.ids import new_id
from flyball.surface.http import Body, ContextDep, Router

from .ids import span_id_of, trace_id_of
from .names import asked_for, name_of
from .shapes import Asked, Numbered, Refusal, asked, iso, meta_of, nanoseconds, numbered

router = Router("/api/public", tag="langfuse", failure=Refusal)


class NewDataset(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A dataset to make, or what is to be said of one that is there."""

    name: Title
    description: str | None = None
    metadata: Any = None
    input_schema: dict[str, Any] | None = None
    expected_output_schema: dict[str, Any] | None = None


class NewItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An item to put in; in the place of the one that has this id. What is left out stays as it was there."""

    dataset_name: Title
    id: ItemId | None = None
    input: Any = None
    expected_output: Any = None
    metadata: Any = None
    source_trace_id: str | None = None
    source_observation_id: str | None = None
    status: Status | None = None


class DatasetShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A dataset as they read it."""

    id: str
    name: str
    description: str | None
    metadata: Any
    input_schema: dict[str, Any] | None
    expected_output_schema: dict[str, Any] | None
    project_id: str
    created_at: str
    updated_at: str


class ItemShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An item as they read it."""

    id: str
    status: str
    input: Any
    expected_output: Any
    metadata: Any
    source_trace_id: str | None
    source_observation_id: str | None
    dataset_id: str
    dataset_name: str
    created_at: str
    updated_at: str
    media_references: tuple[Any, ...] = ()


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, in words."""

    message: str


@router.post("/v2/datasets", permission="datasets.write", returns=DatasetShown)
async def create_dataset(ctx: ContextDep, new: NewDataset = Body(NewDataset)) -> DatasetShown:
    """Make a dataset, or say something else of the one of that name."""
    for place, schema in (("inputSchema", new.input_schema), ("expectedOutputSchema", new.expected_output_schema)):
        if schema is not None:
            check_schema(place, schema)
    about = About(
        title=new.name,
        description=new.description or "",
        metadata=new.metadata,
        input_schema=new.input_schema,
        expected_schema=new.expected_output_schema,
    )
    dataset = await items.describe(ctx, name_of(new.name), about)
    return _dataset(dataset, await items.list_abouts(ctx))


@router.get("/v2/datasets", permission="datasets.read", returns=Numbered[DatasetShown])
async def list_datasets(ctx: ContextDep, page: int | None = None, limit: int | None = None) -> Numbered[DatasetShown]:
    """The project's datasets, by name; those of documents are left out."""
    abouts = await items.list_abouts(ctx)
    found = [one.dataset for one in await reading.list_datasets(ctx) if one.dataset.kind == "rows"]
    return numbered([_dataset(dataset, abouts) for dataset in found], asked(page, limit))


@router.get("/v2/datasets/{name:path}", permission="datasets.read", returns=DatasetShown)
async def get_dataset(ctx: ContextDep, name: str) -> DatasetShown:
    """One dataset."""
    return _dataset(await dataset_called(ctx, name), await items.list_abouts(ctx))


@router.post("/dataset-items", permission="datasets.write", returns=ItemShown)
async def put_item(ctx: ContextDep, new: NewItem = Body(NewItem)) -> ItemShown:
    """Put an item into a dataset, or in the place of the one that has its id. It has to fit the dataset's schemas."""
    dataset = await dataset_called(ctx, new.dataset_name)
    abouts = await items.list_abouts(ctx)
    id_ = new.id or new_id("dsi", ctx.clock.now_ns())
    before = await items.find_item(ctx, id_)
    item = Item(
        item_id=id_,
        dataset_id=dataset.id,
        dataset=dataset.name,
        since_ns=0,
        created_ns=0,
        created_by="",
        status=new.status or (before.status if before else "ACTIVE"),
        input=_kept(new.input, before and before.input),
        expected_output=_kept(new.expected_output, before and before.expected_output),
        metadata=_kept(new.metadata, before and before.metadata),
        source_trace_id=trace_id_of(new.source_trace_id or "") or (before.source_trace_id if before else ""),
        source_span_id=span_id_of(new.source_observation_id or "") or (before.source_span_id if before else ""),
    )
    _check(item, abouts.get(dataset.id))
    return _item(await items.put_item(ctx, item), abouts)


@router.get("/dataset-items", permission="datasets.read", returns=Numbered[ItemShown])
async def list_items(
    ctx: ContextDep,
    *,
    datasetName: str = "",  # noqa: N803 -- their word
    sourceTraceId: str = "",  # noqa: N803 -- their word
    sourceObservationId: str = "",  # noqa: N803 -- their word
    version: str = "",
    page: int | None = None,
    limit: int | None = None,
) -> Numbered[ItemShown]:
    """Items as they are, or as they were at a moment (`version`), newest first. Reading them is recorded, once an hour."""
    wanted = asked(page, limit)
    dataset = await dataset_called(ctx, datasetName) if datasetName else None
    abouts = await items.list_abouts(ctx)
    if dataset is not None and dataset.declaration is not None:
        return await _imported(ctx, dataset, abouts, wanted)
    found, total = await items.list_items(
        ctx,
        dataset.id if dataset else "",
        trace_id=trace_id_of(sourceTraceId),
        span_id=span_id_of(sourceObservationId),
        at_ns=nanoseconds(version, "version") if version else items.NOW,
        skipped=wanted.skipped,
        most=wanted.limit,
    )
    await _record_reading(ctx, dataset.name if dataset else "")
    return Numbered(data=tuple(_item(one, abouts) for one in found), meta=meta_of(wanted, total=total))


@router.get("/dataset-items/{item_id:path}", permission="datasets.read", returns=ItemShown)
async def get_item(ctx: ContextDep, item_id: str) -> ItemShown:
    """One item as it is. Reading it is recorded, once an hour."""
    found = await items.get_item(ctx, item_id)
    await _record_reading(ctx, found.dataset)
    return _item(found, await items.list_abouts(ctx))


@router.delete("/dataset-items/{item_id:path}", permission="datasets.write", returns=Done)
async def remove_item(ctx: ContextDep, item_id: str) -> Done:
    """Take an item out of its dataset; versions that were frozen with it keep it."""
    await items.remove_item(ctx, item_id)
    return Done(message="Dataset item successfully deleted")


async def dataset_called(ctx: Context, title: str) -> Dataset:
    """The dataset that they call so. Raises DatasetNotFoundError."""
    with asked_for(title) as name:
        return await reading.get_dataset(ctx, name)


async def title_of(ctx: Context, dataset: Dataset) -> str:
    """What they call a dataset."""
    return _title(dataset, await items.list_abouts(ctx))


async def dataset_by_id(ctx: Context, id_: str) -> Dataset:
    """The dataset with that id. Raises DatasetNotFoundError."""
    for one in await reading.list_datasets(ctx):
        if one.dataset.id == id_:
            return one.dataset
    raise DatasetNotFoundError(id_)


async def _imported(ctx: Context, dataset: Dataset, abouts: dict[str, About], wanted: Asked) -> Numbered[ItemShown]:
    """Rows of the newest version, of a dataset that is imported from a source."""
    version = await reading.get_version(ctx, dataset.name)
    rows = await reading.read_rows(ctx, version, first=wanted.skipped, count=wanted.limit)
    await _record_reading(ctx, dataset.name)
    shown = tuple(_item(_item_of(row, dataset, version.created_ns), abouts) for row in rows)
    return Numbered(data=shown, meta=meta_of(wanted, total=version.rows))


def _item_of(row: Row, dataset: Dataset, made_ns: int) -> Item:
    data = row.data
    return Item(
        item_id=row.row_id,
        dataset_id=dataset.id,
        dataset=dataset.name,
        since_ns=made_ns,
        created_ns=made_ns,
        created_by=dataset.created_by,
        input=data.get("input", data),
        expected_output=data.get("expected_output", data.get("expected", data.get("answer"))),
        metadata=data.get("metadata"),
    )


async def _record_reading(ctx: Context, name: str) -> None:
    await audit.record_read(
        ctx, action="datasets.read_rows", object_kind="dataset", object_id=name or "all", object_name=name or "any"
    )


def _check(item: Item, about: About | None) -> None:
    """Raise InvalidInputError where the item does not fit what is said of its dataset."""
    if about is None:
        return
    sides = (("input", about.input_schema, item.input), ("expectedOutput", about.expected_schema, item.expected_output))
    for side, schema, value in sides:
        if schema and value is not None and (problem := problem_of(schema, value)):
            raise InvalidInputError(f"the item's {side} does not fit the dataset's schema: {problem}")


def _kept(given: Any, before: Any) -> Any:
    return before if given is None else given


def _title(dataset: Dataset, abouts: dict[str, About]) -> str:
    about = abouts.get(dataset.id)
    return about.title if about else dataset.name


def _dataset(dataset: Dataset, abouts: dict[str, About]) -> DatasetShown:
    about = abouts.get(dataset.id) or About(title=dataset.name, updated_ns=dataset.created_ns)
    return DatasetShown(
        id=dataset.id,
        name=about.title,
        description=about.description or None,
        metadata=about.metadata,
        input_schema=about.input_schema,
        expected_output_schema=about.expected_schema,
        project_id=dataset.project,
        created_at=iso(dataset.created_ns),
        updated_at=iso(about.updated_ns),
    )


def _item(item: Item, abouts: dict[str, About]) -> ItemShown:
    about = abouts.get(item.dataset_id)
    return ItemShown(
        id=item.item_id,
        status=item.status,
        input=item.input,
        expected_output=item.expected_output,
        metadata=item.metadata,
        source_trace_id=item.source_trace_id or None,
        source_observation_id=item.source_span_id or None,
        dataset_id=item.dataset_id,
        dataset_name=about.title if about else item.dataset,
        created_at=iso(item.created_ns),
        updated_at=iso(item.since_ns),
    )
