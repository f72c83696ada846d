"""The work of an import, step by step; each step may be repeated after a crash without doubling anything."""

import asyncio
from pathlib import Path

import msgspec
import pyarrow as pa

from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError
from flyball.kit.ids import new_id

from . import collecting, staging, store
from .collecting import Progress
from .errors import DatasetNotFoundError, EmptyDatasetError, SourceChangedError
from .publishing import publish
from .records import Dataset, DatasetVersion, Declaration, Import, Part
from .rows import DATASET_ROWS
from .staging import Manifest


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What later steps need to know of a stage."""

    version_id: str
    hash: str
    rows: int
    batches: int


async def name_version(ctx: Context) -> str:
    """The id that the version will have: the same after a crash."""
    return new_id("dsv", ctx.clock.now_ns())


async def collect(ctx: Context, name: str, version_id: str, source: Declaration, progress: Progress) -> Collected:
    """Read the source into a stage. Raises SourceNotFoundError, CollectorError, EmptyDatasetError."""
    manifest = await _staged(ctx, version_id, source, progress)
    if manifest.rows == 0:
        staging.clear(_stage(ctx, version_id))
        raise _empty(name, source, manifest)
    return Collected(version_id=version_id, hash=manifest.hash, rows=manifest.rows, batches=manifest.batches)


async def unchanged(ctx: Context, name: str, collected: Collected) -> Import | None:
    """The newest version, where it has this very content already."""
    async with ctx.db.connection() as connection:
        newest = await store.get_version(connection, ctx.project, name)
    if newest is None or newest.hash != collected.hash or newest.id == collected.version_id:
        return None
    manifest = staging.read_manifest(_stage(ctx, collected.version_id))
    staging.clear(_stage(ctx, collected.version_id))
    return _ended(newest, changed=False, manifest=manifest)


async def append_batch(ctx: Context, name: str, collected: Collected, source: Declaration, number: int) -> bool:
    """Move one batch from the stage into the lake; False where it is there already.

    Raises:
        SourceChangedError: the stage was lost, and the source has other content now.
    """
    dataset = await _dataset(ctx, name)
    manifest = await _staged(ctx, collected.version_id, source, _silent)
    if manifest.hash != collected.hash:
        raise SourceChangedError(
            f"the source of {name!r} changed while it was imported", next_step="import it again; nothing was published"
        )

    def append() -> bool:
        batch = staging.read_batch(_stage(ctx, collected.version_id), number)
        named = {"project": ctx.project, "dataset_id": dataset.id, "part_id": collected.version_id}
        for column, value in named.items():
            batch = batch.append_column(column, pa.array([value] * batch.num_rows, pa.string()))
        return ctx.lake.append(DATASET_ROWS, batch, writer=f"dataset:{collected.version_id}", sequence=number)

    return await asyncio.to_thread(append)


async def finish(ctx: Context, name: str, collected: Collected, source: Declaration, run_id: str) -> Import:
    """Publish the version and clear the stage."""
    dataset = await _dataset(ctx, name)
    manifest = await _staged(ctx, collected.version_id, source, _silent)
    made = _version(ctx, dataset, manifest, collected.version_id)
    version = await publish(ctx, msgspec.structs.replace(made, source=source, run_id=run_id))
    assert version is not None  # noqa: S101 -- only a conditional publication may be refused
    staging.clear(_stage(ctx, collected.version_id))
    return _ended(version, changed=version.id == collected.version_id, manifest=manifest)


async def give_up(ctx: Context, version_id: str) -> None:
    """The import has failed: leave no stage behind, which a full disk would miss most."""
    await asyncio.to_thread(staging.clear, _stage(ctx, version_id))


def _version(ctx: Context, dataset: Dataset, manifest: Manifest, version_id: str) -> DatasetVersion:
    return DatasetVersion(
        id=version_id,
        project=ctx.project,
        dataset_id=dataset.id,
        dataset=dataset.name,
        kind=dataset.kind,
        version=0,  # given at publication
        hash=manifest.hash,
        rows=manifest.rows,
        parts=(Part(id=version_id, rows=manifest.rows),),
        parents=(),
        source=None,
        licences=manifest.licences,
        splits=manifest.splits,
        card=manifest.card,
        created_ns=ctx.clock.now_ns(),
        created_by=ctx.actor.id,
    )


async def _staged(ctx: Context, version_id: str, source: Declaration, progress: Progress) -> Manifest:
    """The stage, collected anew where it was lost."""
    stage = _stage(ctx, version_id)
    stage.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = staging.read_manifest(stage)
    if known is not None:
        return known
    if not source.location.startswith("blob:"):
        return await collecting.collect(source, stage, progress)
    copy = stage.with_suffix(".jsonl")
    try:
        await asyncio.to_thread(lambda: copy.write_bytes(ctx.blobs.get(source.location.removeprefix("blob:"))))
        return await collecting.collect(msgspec.structs.replace(source, location=str(copy)), stage, progress)
    finally:
        copy.unlink(missing_ok=True)


def _stage(ctx: Context, version_id: str) -> Path:
    return ctx.layout.staging / version_id


async def _dataset(ctx: Context, name: str) -> Dataset:
    async with ctx.db.connection() as connection:
        dataset = await store.get(connection, ctx.project, name)
    if dataset is None:
        raise DatasetNotFoundError(name)
    return dataset


async def _silent(rows: int) -> None:
    del rows


def _empty(name: str, source: Declaration, manifest: Manifest) -> InvalidInputError:
    refusals = "; ".join(f"{r.location}: {r.reason} ({r.detail})" for r in manifest.card.refusals[:3])
    return EmptyDatasetError(
        f"nothing of {source.location or source.source!r} could be imported into {name!r}"
        + (f"; {manifest.card.refused:,} refused, such as {refusals}" if refusals else ": there is nothing in it"),
        next_step="give a folder with .txt .md .rst .html or .pdf files, or a .jsonl file with one object per line",
    )


def _ended(version: DatasetVersion, *, changed: bool, manifest: Manifest | None) -> Import:
    card = manifest.card if manifest else version.card
    what = f"{version.dataset} version {version.version}"
    message = (
        f"{what}: {version.rows:,} rows"
        if changed
        else f"nothing new: {what} has exactly this content (the same hash), so no version was made"
    )
    refused = f"; {card.refused:,} refused, each listed with its reason in the version's card" if card.refused else ""
    again = f"; {card.duplicates:,} duplicates kept once" if card.duplicates else ""
    return Import(
        dataset=version.dataset,
        version_id=version.id,
        version=version.version,
        hash=version.hash,
        rows=version.rows,
        changed=changed,
        refused=card.refused,
        duplicates=card.duplicates,
        message=message + refused + again,
    )
