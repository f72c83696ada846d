"""The verbs of experiments: an application goes through a dataset's items by itself, and says which trace it made of which.

Knows names and links; what was answered, and how it was judged, is in traces and scores.
"""

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context

from . import item_store as store
from .errors import ExperimentNotFoundError
from .item_records import Experiment, ExperimentItem


async def record_item(ctx: Context, experiment: Experiment, item: ExperimentItem) -> Experiment:
    """Keep that this trace was made of this item, and the experiment where it is new; the same again changes nothing."""
    now_ns = ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        known = await store.experiments(connection, ctx.project, experiment.dataset_id)
        before = next((one for one in known if one.id == experiment.id), None)
        after = msgspec.structs.replace(
            experiment,
            created_ns=before.created_ns if before else now_ns,
            updated_ns=now_ns,
            created_by=before.created_by if before else ctx.actor.id,
            description=experiment.description or (before.description if before else ""),
            metadata=experiment.metadata if experiment.metadata is not None else before and before.metadata,
        )
        await store.put_experiment(connection, ctx.project, after)
        made = msgspec.structs.replace(item, created_ns=now_ns)
        await store.insert_experiment_item(connection, ctx.project, experiment.dataset_id, made)
        if before is None:
            await audit.record(
                connection,
                ctx,
                action="datasets.begin_experiment",
                object_kind="experiment",
                object_id=after.id,
                object_name=after.name,
                after=after,
            )
    return after


async def list_experiments(ctx: Context, dataset_id: str) -> tuple[Experiment, ...]:
    """A dataset's experiments, newest first."""
    async with ctx.db.connection() as connection:
        return await store.experiments(connection, ctx.project, dataset_id)


async def get_experiment(ctx: Context, dataset_id: str, name: str) -> Experiment:
    """The dataset's experiment of that name. Raises ExperimentNotFoundError."""
    found = next((one for one in await list_experiments(ctx, dataset_id) if one.name == name), None)
    if found is None:
        raise ExperimentNotFoundError(name)
    return found


async def list_experiment_items(ctx: Context, experiment: Experiment) -> tuple[ExperimentItem, ...]:
    """Which traces belong to an experiment, newest first."""
    async with ctx.db.connection() as connection:
        return await store.experiment_items(connection, ctx.project, experiment.dataset_id, experiment.id)


async def remove_experiment(ctx: Context, experiment: Experiment) -> None:
    """Forget an experiment; its traces and scores stay."""
    async with ctx.db.transaction() as connection:
        await store.remove_experiment(connection, ctx.project, experiment.dataset_id, experiment.id)
        await audit.record(
            connection,
            ctx,
            action="datasets.remove_experiment",
            object_kind="experiment",
            object_id=experiment.id,
            object_name=experiment.name,
            before=experiment,
        )
