"""The work of a build, step by step; each step may be repeated after a crash without doubling anything.

Passages are staged as one Arrow file per batch of documents, then written into the index's files at once.
"""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa

from flyball.audit import service as audit
from flyball.datasets import service as datasets
from flyball.datasets.records import DatasetVersion
from flyball.infra.context import Context
from flyball.kit.hashing import content_hash
from flyball.kit.ids import new_id

from . import analysis, engines, files, ranking, store, thesaurus
from .errors import IndexInvalidError, IndexNotBuiltError, IndexNotFoundError
from .passages import passages_of
from .records import Build, Index, IndexDeclaration, IndexSettings, IndexVersion

BATCH_DOCUMENTS = 2000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a build makes: decided once, the same after a crash."""

    version_id: str
    index: str
    dataset_version_id: str
    settings: IndexSettings
    batches: int
    documents: int


def settings_of(declaration: IndexDeclaration) -> IndexSettings:
    """Everything that decides which passage is found."""
    return IndexSettings(
        chunk=declaration.chunk,
        engine=files.ENGINE,
        analysis=analysis.VERSION,
        ranking=ranking.VERSION * 1000 + thesaurus.VERSION,
    )


async def plan(ctx: Context, name: str) -> Plan:
    """The newest version of the declared dataset, with the declared settings. Raises IndexNotFoundError and datasets' own."""
    index = await _index(ctx, name)
    version = await datasets.get_version(ctx, index.declaration.dataset)
    if version.kind != "documents":
        raise IndexInvalidError(
            f"the dataset {version.dataset!r} holds rows, not documents", next_step="index a dataset of documents"
        )
    return Plan(
        version_id=new_id("ixv", ctx.clock.now_ns()),
        index=name,
        dataset_version_id=version.id,
        settings=settings_of(index.declaration),
        batches=-(-version.rows // BATCH_DOCUMENTS),
        documents=version.rows,
    )


async def unchanged(ctx: Context, planned: Plan, *, rebuild: bool) -> Build | None:
    """The newest version, where it was made of the same already and its files are whole.

    Where its files were lost, or a rebuild is asked for, they are made again under the same version.
    """
    async with ctx.db.connection() as connection:
        newest = await store.get_version(connection, ctx.project, planned.index)
    if newest is None or newest.id == planned.version_id:
        return None
    if not _same(newest, planned):
        return None
    if not rebuild and files.exist(ctx.layout, newest):
        return _ended(newest, changed=False, message=f"nothing new: {_what(newest)} was made of the same")
    return await _made_again(ctx, newest, planned)


async def make_again(ctx: Context, name: str, number: int) -> Build:
    """The files of any version, from its own dataset version and settings, under the same hash: what is live may be an older one.

    Raises:
        IndexNotBuiltError: there is no such version.
        IndexInvalidError: its dataset version gives other passages now.
    """
    async with ctx.db.connection() as connection:
        version = await store.get_version(connection, ctx.project, name, number)
    if version is None:
        raise IndexNotBuiltError(name, number)
    dataset = await datasets.get_version_by_id(ctx, version.dataset_version_id)
    planned = Plan(
        version_id=version.id,
        index=name,
        dataset_version_id=dataset.id,
        settings=version.settings,
        batches=-(-dataset.rows // BATCH_DOCUMENTS),
        documents=dataset.rows,
    )
    return await _made_again(ctx, version, planned)


async def _made_again(ctx: Context, version: IndexVersion, planned: Plan) -> Build:
    dataset = await datasets.get_version_by_id(ctx, planned.dataset_version_id)
    for number in range(planned.batches):
        await stage_batch(ctx, planned, number)
    mark = await asyncio.to_thread(files.write, ctx.layout, version.id, _staged(ctx, planned))
    engines.engine().close(ctx.layout, version)
    clear(ctx, planned)
    if _hash(dataset, planned.settings, mark.hash) != version.hash:
        raise IndexInvalidError(
            f"{_what(version)}, built again, has other passages than before",
            next_step="the dataset's rows in the lake have changed: restore them from a backup",
        )
    return _ended(version, changed=False, message=f"{_what(version)}: files made again, {version.chunks:,} passages")


async def stage_batch(ctx: Context, planned: Plan, number: int) -> int:
    """Cut one batch of documents into passages and keep them on disk; how many."""
    version = await datasets.get_version_by_id(ctx, planned.dataset_version_id)
    first = number * BATCH_DOCUMENTS
    rows = await datasets.read_rows(ctx, version, first=first, count=BATCH_DOCUMENTS)

    def cut() -> int:
        table = passages_of(rows, planned.settings.chunk)
        path = _path(ctx, planned, number)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        with pa.OSFile(str(beside), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        beside.replace(path)
        return int(table.num_rows)

    return await asyncio.to_thread(cut)


async def finish(ctx: Context, planned: Plan, run_id: str) -> Build:
    """Write the files and publish the version under the next number."""
    for number in range(planned.batches):
        if not _path(ctx, planned, number).exists():  # the staging folder was lost since
            await stage_batch(ctx, planned, number)
    dataset = await datasets.get_version_by_id(ctx, planned.dataset_version_id)
    mark = await asyncio.to_thread(files.write, ctx.layout, planned.version_id, _staged(ctx, planned))
    version = await _publish(ctx, planned, dataset, mark, run_id)
    clear(ctx, planned)
    if version.id != planned.version_id:  # another build of the same was faster
        await asyncio.to_thread(files.remove, ctx.layout, planned.version_id)
        return _ended(version, changed=False, message=f"nothing new: {_what(version)} was made of the same")
    message = f"{_what(version)}: {version.chunks:,} passages of {version.documents:,} documents of {version.dataset} version {version.dataset_version}"
    return _ended(version, changed=True, message=message)


async def _publish(ctx: Context, planned: Plan, dataset: DatasetVersion, mark: files.Mark, run_id: str) -> IndexVersion:
    async with ctx.db.transaction() as connection:
        index = await store.get_locked(connection, ctx.project, planned.index)
        if index is None:
            raise IndexNotFoundError(planned.index)
        known = await store.get_version_by_id(connection, ctx.project, planned.version_id)
        if known is not None:
            return known
        newest = await store.get_version(connection, ctx.project, planned.index)
        if newest is not None and _same(newest, planned):
            return newest
        version = IndexVersion(
            id=planned.version_id,
            project=ctx.project,
            index_id=index.id,
            name=index.name,
            version=newest.version + 1 if newest else 1,
            hash=_hash(dataset, planned.settings, mark.hash),
            dataset=dataset.dataset,
            dataset_version_id=dataset.id,
            dataset_version=dataset.version,
            dataset_hash=dataset.hash,
            settings=planned.settings,
            documents=mark.documents,
            chunks=mark.chunks,
            run_id=run_id,
            created_ns=ctx.clock.now_ns(),
            created_by=ctx.actor.id,
        )
        await store.insert_version(connection, version)
        await audit.record(
            connection,
            ctx,
            action="indexes.publish",
            object_kind="index_version",
            object_id=version.id,
            object_name=f"{version.name} {version.version}",
            before=newest,
            after=version,
        )
    return version


def _same(newest: IndexVersion, planned: Plan) -> bool:
    return newest.dataset_version_id == planned.dataset_version_id and newest.settings == planned.settings


def _hash(dataset: DatasetVersion, settings: IndexSettings, passages_hash: str) -> str:
    return content_hash({"dataset": dataset.hash, "settings": settings, "passages": passages_hash})


def _staged(ctx: Context, planned: Plan) -> Iterator[pa.Table]:
    for number in range(planned.batches):
        with pa.OSFile(str(_path(ctx, planned, number))) as file:
            yield pa.ipc.open_file(file).read_all()


def _path(ctx: Context, planned: Plan, number: int) -> Path:
    return ctx.layout.staging / planned.version_id / f"passages-{number:06}.arrow"


def clear(ctx: Context, planned: Plan) -> None:
    """Leave none of the staged passages behind."""
    shutil.rmtree(ctx.layout.staging / planned.version_id, ignore_errors=True)


async def _index(ctx: Context, name: str) -> Index:
    async with ctx.db.connection() as connection:
        index = await store.get(connection, ctx.project, name)
    if index is None:
        raise IndexNotFoundError(name)
    return index


def _what(version: IndexVersion) -> str:
    return f"{version.name} version {version.version}"


def _ended(version: IndexVersion, *, changed: bool, message: str) -> Build:
    return Build(
        index=version.name,
        version_id=version.id,
        version=version.version,
        hash=version.hash,
        documents=version.documents,
        chunks=version.chunks,
        changed=changed,
        message=message,
    )
