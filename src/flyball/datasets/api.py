"""The HTTP face of datasets: parse, one verb, answer."""

from typing import Any

import msgspec

from flyball.kit.paging import Page
from flyball.runs.records import Run
from flyball.surface.http import Body, ContextDep, Router

from . import items, service
from .errors import DatasetVersionNotFoundError, SourceNotFoundError
from .records import DEFAULT_SPLIT, Dataset, DatasetVersion, Declaration, Row, SourceName
from .service import Overview

router = Router("/api/datasets", tag="datasets")


class NewImport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to import. Nothing at all: what the dataset declares."""

    source: SourceName | None = None
    location: str = ""
    licence: str = ""


class NewRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row made from a trace: `data` is the trace's input with the corrected answer, as the dataset's rows are."""

    trace_id: str
    data: dict[str, Any]
    id: str = ""
    split: str = DEFAULT_SPLIT
    licence: str = ""


class AddedRow(msgspec.Struct, frozen=True, kw_only=True):
    """The row and the version that it is in."""

    version: DatasetVersion
    row: Row


@router.get(permission="datasets.read", returns=Page[Overview])
async def list_datasets(ctx: ContextDep) -> Page[Overview]:
    """Every dataset with its newest version, by name."""
    datasets = await service.list_datasets(ctx)
    return Page(items=datasets, total=len(datasets))


@router.get("/{name}", permission="datasets.read", returns=Dataset)
async def show_dataset(ctx: ContextDep, name: str) -> Dataset:
    """One dataset."""
    return await service.get_dataset(ctx, name)


@router.get("/{name}/versions", permission="datasets.read", returns=Page[DatasetVersion])
async def list_versions(ctx: ContextDep, name: str) -> Page[DatasetVersion]:
    """Every version, newest first."""
    versions = await service.list_versions(ctx, name)
    return Page(items=versions, total=len(versions))


@router.post("/{name}/versions", permission="datasets.write", returns=DatasetVersion, status=201)
async def freeze_items(ctx: ContextDep, name: str) -> DatasetVersion:
    """Make a version of the items that were put in one by one and are active; the newest one where it has them already."""
    return await items.freeze(ctx, name)


@router.get("/{name}/versions/{version}", permission="datasets.read", returns=DatasetVersion)
async def show_version(ctx: ContextDep, name: str, version: str) -> DatasetVersion:
    """One version by its number, or `newest`."""
    return await service.get_version(ctx, name, _number(name, version))


@router.get("/{name}/versions/{version}/rows", permission="datasets.read", returns=Page[Row])
async def list_rows(ctx: ContextDep, name: str, version: str, cursor: str = "", limit: int = 50) -> Page[Row]:
    """The rows of a version, in their order. Reading them is recorded, once an hour."""
    found = await service.get_version(ctx, name, _number(name, version))
    await service.record_reading(ctx, found)
    return await service.rows(ctx, found, cursor, limit)


@router.post("/{name}/imports", permission="datasets.write", returns=Run, status=202)
async def start_import(ctx: ContextDep, name: str, new: NewImport = Body(NewImport)) -> Run:
    """Queue an import; the run's result says which version it made."""
    if new.source is None and (new.location or new.licence):
        raise SourceNotFoundError("a location without a source", next_step="add `source`: stdlib, folder or jsonl")
    declaration = (
        Declaration(source=new.source, location=new.location, licence=new.licence) if new.source is not None else None
    )
    return await service.import_later(ctx, name, declaration)


@router.post("/{name}/rows", permission="datasets.write", returns=AddedRow, status=201)
async def add_row(ctx: ContextDep, name: str, new: NewRow = Body(NewRow)) -> AddedRow:
    """Add a row made from a trace; makes a new version."""
    version, row = await service.add_row_from_trace(
        ctx, name, trace_id=new.trace_id, data=new.data, row_id=new.id, split=new.split, licence=new.licence
    )
    return AddedRow(version=version, row=row)


def _number(name: str, version: str) -> int | None:
    if version == "newest":
        return None
    if not version.isdecimal() or len(version) > 9:
        raise DatasetVersionNotFoundError(name, version[:40])
    return int(version)
