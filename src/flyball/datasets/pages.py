"""Datasets as pages: the list, one version with its card, its rows, and one row whole. Parse, one verb, render."""

import msgspec

from flyball.kit.errors import NotFoundError
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import service
from .reading import Overview
from .records import Dataset, DatasetVersion, Declaration, Row

pages = Pages(tag="datasets", section="/datasets")


class DatasetList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    datasets: tuple[Overview, ...]


class DatasetPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows: a version with some of its rows; no version where nothing was imported yet."""

    dataset: Dataset
    version: DatasetVersion | None
    versions: tuple[DatasetVersion, ...]
    rows: tuple[Row, ...]
    next: str | None
    first: bool


class RowPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/row.html shows."""

    version: DatasetVersion
    row: Row


@pages.get("/datasets", permission="datasets.read", template="datasets/list.html")
async def list_datasets(ctx: ContextDep) -> DatasetList:
    """Every dataset with its newest version."""
    return DatasetList(datasets=tuple(await service.list_datasets(ctx)))


@pages.post("/datasets/imports", permission="datasets.write")
async def start_import(ctx: ContextDep, form: FormDep) -> See:
    """Queue an import of a folder of flyball's machine, or of the standard library's documentation."""
    source = form.get("source", "stdlib")
    declaration = msgspec.convert(
        {"source": source, "location": form.get("location", ""), "licence": form.get("licence", "")}, Declaration
    )
    run = await service.import_later(ctx, form.get("name", ""), declaration)
    return See(f"/runs/{run.id}", "The import is queued.")


@pages.get("/datasets/{name}", permission="datasets.read", template="datasets/show.html")
async def show_dataset(ctx: ContextDep, name: str, version: int | None = None, cursor: str = "") -> DatasetPage:
    """One dataset at one version, the newest unless one is named."""
    dataset = await service.get_dataset(ctx, name)
    versions = tuple(await service.list_versions(ctx, name))
    if not versions:
        return DatasetPage(dataset=dataset, version=None, versions=(), rows=(), next=None, first=True)
    shown = await service.get_version(ctx, name, version)
    found = await service.rows(ctx, shown, cursor, 25)
    await service.record_reading(ctx, shown)
    return DatasetPage(
        dataset=dataset, version=shown, versions=versions, rows=found.items, next=found.next, first=not cursor
    )


@pages.get(
    "/datasets/{name}/versions/{version}/rows/{row_id:path}", permission="datasets.read", template="datasets/row.html"
)
async def show_row(ctx: ContextDep, name: str, version: int, row_id: str) -> RowPage:
    """One row whole, with its source, licence and lineage."""
    shown = await service.get_version(ctx, name, version)
    row = await service.get_row(ctx, shown, row_id)
    if row is None:
        raise NotFoundError(
            f"version {version} of {name!r} has no row {row_id!r:.80}",
            next_step=f"see /datasets/{name}?version={version}",
        )
    await service.record_reading(ctx, shown)
    return RowPage(version=shown, row=row)
