"""Indexes as pages: the list, and one index with its versions and a search to try. Parse, one verb, render."""

import msgspec

from flyball.surface.html import Pages, See
from flyball.surface.http import ContextDep

from . import service
from .records import Index, IndexVersion, Passage
from .service import Overview

pages = Pages(tag="indexes", section="/indexes")


class IndexList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    indexes: tuple[Overview, ...]


class IndexPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows: the newest version unless one is named, and what a search found in it."""

    index: Index
    version: IndexVersion | None
    versions: tuple[IndexVersion, ...]
    query: str
    passages: tuple[Passage, ...]


@pages.get("/indexes", permission="indexes.read", template="indexes/list.html")
async def list_indexes(ctx: ContextDep) -> IndexList:
    """Every index with its newest version."""
    return IndexList(indexes=await service.list_indexes(ctx))


@pages.get("/indexes/{name}", permission="indexes.read", template="indexes/show.html")
async def show_index(ctx: ContextDep, name: str, version: int | None = None, query: str = "") -> IndexPage:
    """One index, and the passages that a question finds in it."""
    index = await service.get_index(ctx, name)
    versions = await service.list_versions(ctx, name)
    shown = await service.get_version(ctx, name, version) if versions else None
    found = await service.search(ctx, name, query, 10, version) if shown and query.strip() else []
    if found:
        await service.record_search(ctx, name)
    return IndexPage(index=index, version=shown, versions=versions, query=query.strip(), passages=tuple(found))


@pages.post("/indexes/{name}/builds", permission="indexes.write")
async def start_build(ctx: ContextDep, name: str) -> See:
    """Queue a build over the dataset's newest version."""
    run = await service.build_later(ctx, name)
    return See(f"/runs/{run.id}", "The build is queued.")
