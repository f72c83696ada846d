"""The verbs of score configs: make, change, list, look up. Each change leaves an audit event."""

from typing import Any

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.kit.ids import new_id

from . import score_config_store as store
from .score_config_records import Category, DataType, ScoreConfig, ScoreConfigNotFoundError, check_config


async def create_config(
    ctx: Context,
    name: str,
    data_type: DataType,
    *,
    min_value: float | None = None,
    max_value: float | None = None,
    categories: tuple[Category, ...] | None = None,
    description: str = "",
) -> ScoreConfig:
    """Make a config. Raises ScoreConfigInvalidError."""
    now_ns = ctx.clock.now_ns()
    config = ScoreConfig(
        id=new_id("scc", now_ns),
        project=ctx.project,
        name=name,
        data_type=data_type,
        created_ns=now_ns,
        updated_ns=now_ns,
        created_by=ctx.actor.id,
        min_value=min_value,
        max_value=max_value,
        categories=categories or None,
        description=description,
    )
    return await _put(ctx, None, config)


async def update_config(ctx: Context, id_: str, changes: dict[str, Any]) -> ScoreConfig:
    """Change what is given of a config. Raises ScoreConfigNotFoundError, ScoreConfigInvalidError."""
    before = await get_config(ctx, id_)
    after = msgspec.structs.replace(before, **changes, updated_ns=ctx.clock.now_ns())
    return await _put(ctx, before, after)


async def list_configs(ctx: Context) -> tuple[ScoreConfig, ...]:
    """The project's configs, newest first."""
    async with ctx.db.connection() as connection:
        return await store.all_configs(connection, ctx.project)


async def get_config(ctx: Context, id_: str) -> ScoreConfig:
    """The config with that id. Raises ScoreConfigNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await store.get(connection, ctx.project, id_)
    if found is None:
        raise ScoreConfigNotFoundError(
            f"there is no score config {id_!r:.100}", next_step="list them, or make it first"
        )
    return found


async def _put(ctx: Context, before: ScoreConfig | None, after: ScoreConfig) -> ScoreConfig:
    check_config(after)
    async with ctx.db.transaction() as connection:
        await store.put(connection, after)
        await audit.record(
            connection,
            ctx,
            action="score_configs.update" if before else "score_configs.create",
            object_kind="score_config",
            object_id=after.id,
            before=before,
            after=after,
        )
    return after
