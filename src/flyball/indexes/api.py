"""The HTTP face of indexes: parse, one verb, answer."""

import msgspec

from flyball.kit.paging import Page
from flyball.runs.records import Run
from flyball.surface.http import Body, ContextDep, Router

from . import service
from .errors import IndexInvalidError
from .records import ChunkSettings, Index, IndexDeclaration, IndexVersion, Passage
from .service import Overview

router = Router("/api/indexes", tag="indexes")


class NewBuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to build. Without a dataset: as the index is declared. `rebuild` makes the files again in any case.

    With `version`, the files of that version are made again, and nothing else happens.
    """

    dataset: str = ""
    chunk: ChunkSettings | None = None
    rebuild: bool = False
    version: int | None = None


@router.get(permission="indexes.read", returns=Page[Overview])
async def list_indexes(ctx: ContextDep) -> Page[Overview]:
    """Every index with its newest version, by name."""
    indexes = await service.list_indexes(ctx)
    return Page(items=indexes, total=len(indexes))


@router.get("/{name}", permission="indexes.read", returns=Index)
async def show_index(ctx: ContextDep, name: str) -> Index:
    """One index."""
    return await service.get_index(ctx, name)


@router.get("/{name}/versions", permission="indexes.read", returns=Page[IndexVersion])
async def list_versions(ctx: ContextDep, name: str) -> Page[IndexVersion]:
    """Every version, newest first."""
    versions = await service.list_versions(ctx, name)
    return Page(items=versions, total=len(versions))


@router.get("/{name}/passages", permission="indexes.read", returns=Page[Passage])
async def search_index(ctx: ContextDep, name: str, query: str, k: int = 5, version: int | None = None) -> Page[Passage]:
    """The best passages for a question, best first. Reading an index is recorded, once an hour."""
    found = tuple(await service.search(ctx, name, query, k, version))
    await service.record_search(ctx, name)
    return Page(items=found)


@router.post("/{name}/builds", permission="indexes.write", returns=Run, status=202)
async def start_build(ctx: ContextDep, name: str, new: NewBuild = Body(NewBuild)) -> Run:
    """Queue a build; the run's result says which version it made."""
    if new.chunk is not None and not new.dataset:
        raise IndexInvalidError("chunk settings without a dataset", next_step="add `dataset`")
    declaration = IndexDeclaration(dataset=new.dataset, chunk=new.chunk or ChunkSettings()) if new.dataset else None
    return await service.build_later(ctx, name, declaration, rebuild=new.rebuild, version=new.version)
