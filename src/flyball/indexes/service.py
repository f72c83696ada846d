"""The verbs of indexes: declare, build, look, search.

The work of a build is in `building`, done by the job `indexes.build`.
"""

import asyncio
import re

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.ids import new_id
from flyball.runs import service as runs
from flyball.runs.records import Run

from . import engines, store
from .errors import IndexInvalidError, IndexNotBuiltError, IndexNotFoundError
from .records import Index, IndexDeclaration, IndexVersion, Passage

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """An index in a list: itself and its newest version, if it was built."""

    index: Index
    newest: IndexVersion | None


async def list_indexes(ctx: Context) -> tuple[Overview, ...]:
    """Every index of the project, by name."""
    async with ctx.db.connection() as connection:
        indexes = await store.all_indexes(connection, ctx.project)
        newest = {v.name: v for v in await store.newest_versions(connection, ctx.project)}
    return tuple(Overview(index=index, newest=newest.get(index.name)) for index in indexes)


async def get_index(ctx: Context, name: str) -> Index:
    """The index of that name. Raises IndexNotFoundError."""
    async with ctx.db.connection() as connection:
        index = await store.get(connection, ctx.project, name)
    if index is None:
        raise IndexNotFoundError(name)
    return index


async def get_version(ctx: Context, name: str, version: int | None = None) -> IndexVersion:
    """The newest version, or the asked one. Raises IndexNotFoundError, IndexNotBuiltError."""
    await get_index(ctx, name)
    async with ctx.db.connection() as connection:
        found = await store.get_version(connection, ctx.project, name, version)
    if found is None:
        raise IndexNotBuiltError(name, version)
    return found


async def get_version_by_id(ctx: Context, id_: str) -> IndexVersion:
    """The version with that id. Raises IndexNotBuiltError."""
    async with ctx.db.connection() as connection:
        found = await store.get_version_by_id(connection, ctx.project, id_)
    if found is None:
        raise IndexNotBuiltError(id_)
    return found


async def list_versions(ctx: Context, name: str) -> tuple[IndexVersion, ...]:
    """Every version of an index, newest first. Raises IndexNotFoundError."""
    await get_index(ctx, name)
    async with ctx.db.connection() as connection:
        return await store.versions(connection, ctx.project, name)


async def declare(connection: Connection, ctx: Context, name: str, declaration: IndexDeclaration) -> Index:
    """The index of that name with this declaration, made or changed where it differs; in the caller's transaction.

    The dataset need not exist yet: it must when the index is built. Raises IndexInvalidError.
    """
    before = await store.get(connection, ctx.project, name)
    if before is not None and before.declaration == declaration:
        return before
    if before is None:
        after = await _create(connection, ctx, name, declaration)
    else:
        await store.update_declaration(connection, before, declaration)
        after = msgspec.structs.replace(before, declaration=declaration)
    await audit.record(
        connection,
        ctx,
        action="indexes.declare" if before else "indexes.create",
        object_kind="index",
        object_id=after.id,
        before=before,
        after=after,
    )
    return after


async def build_later(
    ctx: Context,
    name: str,
    declaration: IndexDeclaration | None = None,
    *,
    rebuild: bool = False,
    version: int | None = None,
) -> Run:
    """Queue a build of the index as declared, or as given here, which declares it; or of one version's files again.

    Raises:
        IndexNotFoundError: nothing is given and nothing declared.
        IndexNotBuiltError: there is no such version.
        IndexInvalidError: a name that cannot be used, or a version together with a declaration.
    """
    if version is not None:
        if declaration is not None:
            raise IndexInvalidError(
                f"version {version} of {name!r} is made again as it was",
                next_step="leave out the dataset and the settings",
            )
        await get_version(ctx, name, version)
    async with ctx.db.transaction() as connection:
        if declaration is not None:
            index = await declare(connection, ctx, name, declaration)
        else:
            found = await store.get(connection, ctx.project, name)
            if found is None:
                raise IndexNotFoundError(name)
            index = found
        run = await runs.enqueue(
            connection, ctx, "indexes.build", {"index": name, "rebuild": rebuild, "version": version}
        )
        await audit.record(
            connection,
            ctx,
            action="indexes.build",
            object_kind="index",
            object_id=index.id,
            object_name=index.name,
            after={"run": run.id},
        )
    return run


async def record_search(ctx: Context, name: str) -> None:
    """Note in the audit record that the actor reads passages of an index: once an hour."""
    await audit.record_read(ctx, action="indexes.search", object_kind="index", object_id=name)


async def search(ctx: Context, name: str, query: str, k: int = 5, version: int | None = None) -> list[Passage]:
    """The best passages of an index for a question. Raises as `get_version` and the engine's `search` do."""
    if not query.strip():
        raise IndexInvalidError("an empty question cannot be searched for", next_step="give some words")
    found = await get_version(ctx, name, version)
    return await asyncio.to_thread(engines.search, ctx.layout, found, query, k)


async def _create(connection: Connection, ctx: Context, name: str, declaration: IndexDeclaration) -> Index:
    if not _NAME.fullmatch(name):
        raise IndexInvalidError(
            f"{name!r:.90} cannot be an index's name",
            next_step="use 1 to 80 lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    now_ns = ctx.clock.now_ns()
    index = Index(
        id=new_id("ix", now_ns),
        project=ctx.project,
        name=name,
        declaration=declaration,
        created_ns=now_ns,
        created_by=ctx.actor.id,
    )
    await store.insert(connection, index)
    return index
