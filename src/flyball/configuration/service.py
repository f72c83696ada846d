"""The verbs of configuration: diff, apply, export."""

import asyncio
from collections.abc import Mapping

from flyball.datasets import service as datasets
from flyball.evaluations import service as evaluations
from flyball.functions import service as functions
from flyball.indexes import service as indexes
from flyball.infra.context import Context
from flyball.infra.db.database import Connection, execute
from flyball.kit.errors import FlyballError
from flyball.ledger.quota_store import hold_settling
from flyball.ledger.quotas import put as put_quota
from flyball.ledger.quotas import refuse_too_many
from flyball.models import service as models
from flyball.prompts import service as prompts
from flyball.surface.http.identity import require

from . import existing, exporting, quotas
from .errors import ConfigurationError
from .existing import Existing
from .loading import Loaded, load, located
from .naming import check_names
from .planning import plan
from .quotas import QuotaKey, Wanted
from .records import Bundle, Changes, Export, Kind
from .tree import Path

WRITING: Mapping[Kind, str] = {
    "dataset": "datasets.write",
    "evaluation": "evaluations.write",
    "function": "functions.write",
    "index": "indexes.write",
    "model": "models.write",
    "prompt": "prompts.write",
    "budget": "budgets.write",
    "limit": "limits.write",
}


async def diff(ctx: Context, bundle: Bundle) -> Changes:
    """What applying would change. Changes nothing. A difference shows what is there, so each kind needs its own reading.

    Raises:
        ConfigurationError: as `apply` does.
        PermissionMissingError: the file speaks of a kind that the actor may not read.
    """
    loaded = await asyncio.to_thread(load, bundle)
    async with ctx.db.connection() as connection:
        found = await existing.read(connection, ctx)
        items = _checked(ctx, loaded, found, await quotas.resolve(connection, ctx, loaded)).items
    for kind in sorted({change.kind for change in items if change.action != "kept"}):
        require(ctx, _reading(kind))
    return Changes(items=tuple(change for change in items if ctx.actor.may(_reading(change.kind))))


async def apply(ctx: Context, bundle: Bundle) -> Changes:
    """Make everything as the file says, in one transaction: all of it or nothing. Applying twice changes nothing more.

    Raises:
        ConfigurationError: everything that is wrong, with line and column.
        PermissionMissingError: the actor may not change something of a kind that the file would change.
        CodeNotAllowedError: new rules code from someone who may not bring any.
    """
    loaded = await asyncio.to_thread(load, bundle)
    for data in loaded.captured.values():
        await asyncio.to_thread(ctx.blobs.put, data)
    more = await _new_quotas(ctx, loaded)
    async with ctx.db.transaction() as connection:
        if more:
            await hold_settling(connection)  # before the record is held, as everywhere
        await _one_at_a_time(connection, ctx)
        wanted = await quotas.resolve(connection, ctx, loaded)
        changes = _checked(ctx, loaded, await existing.read(connection, ctx), wanted)
        if changes.differs:
            _refuse_what_is_not_theirs(ctx, changes)
            await _put(connection, ctx, loaded, wanted)
    return changes


async def _new_quotas(ctx: Context, loaded: Loaded) -> int:
    """How many budgets and limits of the file are not there yet. Raises TooManyQuotasError where they are too many."""
    if not (loaded.configuration.budgets or loaded.configuration.limits):
        return 0
    async with ctx.db.connection() as connection:
        more = len(
            (await quotas.resolve(connection, ctx, loaded)).keys() - (await quotas.present(connection, ctx)).keys()
        )
    if more:
        await refuse_too_many(ctx, more)
    return more


async def export(ctx: Context) -> Export:
    """Everything that a configuration can say of the project, as files; without the kinds that the actor may not read."""
    async with ctx.db.connection() as connection:
        found = await existing.read(connection, ctx)
    unread = tuple(noun for noun in Existing._fields if not ctx.actor.may(f"{noun}.read"))
    shown = found._replace(**{noun: {} for noun in unread})
    return await exporting.export(shown, ctx.blobs, ctx.project, left_out=unread)


def _reading(kind: Kind) -> str:
    return WRITING[kind].replace(".write", ".read")


def _checked(ctx: Context, loaded: Loaded, found: Existing, wanted: Mapping[QuotaKey, Wanted]) -> Changes:
    if problems := check_names(loaded, found, ctx.project):
        raise ConfigurationError(problems)
    return Changes(items=plan(loaded, found, wanted))


def _refuse_what_is_not_theirs(ctx: Context, changes: Changes) -> None:
    """To apply is to make and change things: each kind needs its own permission, as it would by a route of its own."""
    for kind in sorted({change.kind for change in changes.items if change.action in ("create", "update")}):
        require(ctx, WRITING[kind])


async def _put(connection: Connection, ctx: Context, loaded: Loaded, wanted: Mapping[QuotaKey, Wanted]) -> None:
    """Each room puts what differs, and writes its own audit event and news."""
    declared = loaded.configuration
    path: Path = ()
    try:
        for name, declaration in loaded.datasets.items():
            path = ("datasets", name)
            await datasets.declare(connection, ctx, name, declaration)
        for name, index in declared.indexes.items():
            path = ("indexes", name)
            await indexes.declare(connection, ctx, name, index)
        for name, model in declared.models.items():
            path = ("models", name)
            await models.put(connection, ctx, name, model)
        for name, source in loaded.prompts.items():
            path = ("prompts", name)
            await prompts.put(connection, ctx, name, declared.prompts[name].file, source)
        for name, function in loaded.functions.items():
            path = ("functions", name)
            await functions.put(connection, ctx, name, function, loaded.sources)
        for name, evaluation in declared.evaluations.items():
            path = ("evaluations", name)
            await evaluations.declare(connection, ctx, name, evaluation)
        for quota in wanted.values():
            path = quota.path
            await put_quota(connection, ctx, quota.place, quota.wish)
    except FlyballError as error:
        if error.status in (400, 404, 409):
            raise ConfigurationError([located(loaded.tree, path, error)]) from error
        raise


async def _one_at_a_time(connection: Connection, ctx: Context) -> None:
    """Two applies at once would both make version 2. Waits until the other one's transaction ends."""
    await execute(
        connection, "select pg_advisory_xact_lock(hashtext('flyball configuration'), hashtext(%s))", ctx.project
    )
