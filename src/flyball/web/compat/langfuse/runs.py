"""Runs of a dataset, as Langfuse's clients record and list them: which trace an application made of which item, under which name."""

import hashlib
import json
from typing import Any

import msgspec

from flyball.audit import service as audit
from flyball.datasets import experiments, items
from flyball.datasets.item_records import Experiment, ExperimentItem, ItemId, Title
from flyball.datasets.records import Dataset
from flyball.kit.errors import InvalidInputError
from flyball.surface.http import Body, ContextDep, Router

from .datasets import Done, dataset_by_id, dataset_called, title_of
from .ids import span_id_of, trace_id_of
from .shapes import Id, Numbered, Refusal, asked, iso, numbered

router = Router("/api/public", tag="langfuse", failure=Refusal)


class NewRunItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A trace that was made of an item, in a run of this name."""

    run_name: Title
    dataset_item_id: ItemId
    run_description: str | None = None
    metadata: Any = None
    trace_id: Id | None = None
    observation_id: Id | None = None


class RunItemShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A trace of a run as they read it."""

    id: str
    dataset_run_id: str
    dataset_run_name: str
    dataset_item_id: str
    trace_id: str
    observation_id: str | None
    created_at: str
    updated_at: str


class RunShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A run as they read it; its items where one is asked for."""

    id: str
    name: str
    description: str | None
    metadata: Any
    dataset_id: str
    dataset_name: str
    created_at: str
    updated_at: str
    dataset_run_items: tuple[RunItemShown, ...] | msgspec.UnsetType = msgspec.UNSET


@router.post("/dataset-run-items", permission="datasets.write", returns=RunItemShown)
async def record_run_item(ctx: ContextDep, new: NewRunItem = Body(NewRunItem)) -> RunItemShown:
    """Keep that a trace was made of an item, and the run where it is new."""
    if not new.trace_id:
        raise InvalidInputError("a run item without a trace", next_step="add traceId")
    item = await items.get_item(ctx, new.dataset_item_id)
    experiment = Experiment(
        id=_id(ctx.project, item.dataset_id, new.run_name),
        dataset_id=item.dataset_id,
        name=new.run_name,
        description=new.run_description or "",
        metadata=new.metadata,
        created_ns=0,
        updated_ns=0,
        created_by="",
    )
    trace, span = trace_id_of(new.trace_id), span_id_of(new.observation_id or "")
    made = ExperimentItem(
        id=_digest(experiment.id, item.item_id, trace, span),
        experiment_id=experiment.id,
        item_id=item.item_id,
        trace_id=trace,
        span_id=span,
        created_ns=ctx.clock.now_ns(),
    )
    return _run_item(await experiments.record_item(ctx, experiment, made), made)


@router.get("/dataset-run-items", permission="datasets.read", returns=Numbered[RunItemShown])
async def list_run_items(
    ctx: ContextDep,
    *,
    datasetId: str,  # noqa: N803 -- their word
    runName: str,  # noqa: N803 -- their word
    page: int | None = None,
    limit: int | None = None,
) -> Numbered[RunItemShown]:
    """The traces of a run, newest first."""
    dataset = await dataset_by_id(ctx, datasetId)
    run = await experiments.get_experiment(ctx, dataset.id, runName)
    found = await experiments.list_experiment_items(ctx, run)
    return numbered([_run_item(run, one) for one in found], asked(page, limit))


@router.get("/datasets/{name:path}/runs", permission="datasets.read", returns=Numbered[RunShown])
async def list_runs(
    ctx: ContextDep, name: str, page: int | None = None, limit: int | None = None
) -> Numbered[RunShown]:
    """The runs of a dataset, newest first."""
    dataset = await dataset_called(ctx, name)
    title = await title_of(ctx, dataset)
    found = await experiments.list_experiments(ctx, dataset.id)
    return numbered([_run(run, title) for run in found], asked(page, limit))


@router.get("/datasets/{name:path}/runs/{run:path}", permission="datasets.read", returns=RunShown)
async def get_run(ctx: ContextDep, name: str, run: str) -> RunShown:
    """A run with its items. Reading it is recorded, once an hour."""
    dataset = await dataset_called(ctx, name)
    found = await experiments.get_experiment(ctx, dataset.id, run)
    made = await experiments.list_experiment_items(ctx, found)
    await audit.record_read(
        ctx, action="datasets.read_rows", object_kind="dataset", object_id=dataset.name, object_name=dataset.name
    )
    shown = _run(found, await title_of(ctx, dataset))
    return msgspec.structs.replace(shown, dataset_run_items=tuple(_run_item(found, one) for one in made))


@router.delete("/datasets/{name:path}/runs/{run:path}", permission="datasets.write", returns=Done)
async def remove_run(ctx: ContextDep, name: str, run: str) -> Done:
    """Forget a run; its traces and scores stay."""
    dataset: Dataset = await dataset_called(ctx, name)
    await experiments.remove_experiment(ctx, await experiments.get_experiment(ctx, dataset.id, run))
    return Done(message="Dataset run deleted successfully")


def _id(project: str, dataset_id: str, run_name: str) -> str:
    """What their newer clients derive by themselves, so that both know a run by the same id."""
    parts = ["langfuse-experiment-v1", project, dataset_id, run_name]
    said = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _run(run: Experiment, dataset_title: str) -> RunShown:
    return RunShown(
        id=run.id,
        name=run.name,
        description=run.description or None,
        metadata=run.metadata,
        dataset_id=run.dataset_id,
        dataset_name=dataset_title,
        created_at=iso(run.created_ns),
        updated_at=iso(run.updated_ns),
    )


def _run_item(run: Experiment, item: ExperimentItem) -> RunItemShown:
    when = iso(item.created_ns)
    return RunItemShown(
        id=item.id,
        dataset_run_id=run.id,
        dataset_run_name=run.name,
        dataset_item_id=item.item_id,
        trace_id=item.trace_id,
        observation_id=item.span_id or None,
        created_at=when,
        updated_at=when,
    )
