"""Experiments as Langfuse's newest clients list them: told by spans, which say of which experiment and item they are.

Every span of an item says so; one of them is the item's root, where the application's own answer stands.
"""

from typing import Any

from starlette.requests import Request

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.kit.paging import decode_cursor, encode_cursor
from flyball.surface.http import ContextDep, Router
from flyball.traces import service
from flyball.traces.records import SpanFilter, SpanRow

from .observing import environment_of, level_of, loaded, metadata_of
from .reading import refuse_others, texts_of
from .shapes import Refusal, asked, iso, nanoseconds

router = Router("/api/public", tag="langfuse", failure=Refusal)

_MOST_LOOKED_AT = 20_000  # spans of experiments, the newest, in which they are looked for
_SAYS = "langfuse.experiment."
_OF_EXPERIMENTS = frozenset({"fromStartTime", "toStartTime", "id", "name", "datasetId", "scoreLimit"})
_OF_ITEMS = frozenset(
    {"fromStartTime", "toStartTime", "experimentId", "experimentName", "experimentItemId", "datasetId", "scoreLimit"}
)


@router.get("/experiments", permission="traces.read", returns=dict[str, Any])
async def list_experiments(ctx: ContextDep, request: Request, cursor: str = "", limit: int = 50) -> dict[str, Any]:
    """Experiments that applications ran, the one that began last first; of the newest 20,000 of their spans."""
    said = request.query_params
    refuse_others(said, _OF_EXPERIMENTS)
    roots = await _roots(ctx, said.get("fromStartTime", ""), said.get("toStartTime", ""))
    by_id: dict[str, list[SpanRow]] = {}
    for root in roots:
        by_id.setdefault(_of(root, "id"), []).append(root)
    wanted = {"id": said.get("id", ""), "name": said.get("name", ""), "dataset.id": said.get("datasetId", "")}
    found = [_experiment(items) for items in by_id.values() if _fits(items[0], wanted)]
    return _stretch(sorted(found, key=lambda one: (one["startTime"], one["id"]), reverse=True), cursor, limit)


@router.get("/experiment-items", permission="traces.read", returns=dict[str, Any])
async def list_experiment_items(ctx: ContextDep, request: Request, cursor: str = "", limit: int = 50) -> dict[str, Any]:
    """What was answered to the items of experiments, newest first. Reading it is recorded, once an hour."""
    said = request.query_params
    refuse_others(said, _OF_ITEMS)
    wanted = {
        "id": said.get("experimentId", ""),
        "name": said.get("experimentName", ""),
        "item.id": said.get("experimentItemId", ""),
        "dataset.id": said.get("datasetId", ""),
    }
    roots = await _roots(ctx, said.get("fromStartTime", ""), said.get("toStartTime", ""))
    fitting = {root.span_id: root for root in roots if _fits(root, wanted)}
    places = [{"startTime": iso(root.start_ns), "id": root.span_id} for root in fitting.values()]
    page = _stretch(sorted(places, key=lambda one: (one["startTime"], one["id"]), reverse=True), cursor, limit)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id="list")
    return {"data": [await _item(ctx, fitting[one["id"]]) for one in page["data"]], "meta": page["meta"]}


async def _roots(ctx: Context, since: str, until: str) -> list[SpanRow]:
    """The roots of items, newest first."""
    wanted = SpanFilter(
        experiments=True,
        since_ns=nanoseconds(since, "fromStartTime") if since else 0,
        until_ns=nanoseconds(until, "toStartTime") if until else 2**62,
    )
    spans = await service.list_spans(ctx, wanted, most=_MOST_LOOKED_AT)
    return [span for span in spans if _of(span, "item.root_observation_id") == span.span_id]


def _of(span: SpanRow, word: str) -> str:
    return str(span.attributes.get(_SAYS + word) or "")


def _fits(span: SpanRow, wanted: dict[str, str]) -> bool:
    return all(not value or _of(span, word) == value for word, value in wanted.items())


def _experiment(roots: list[SpanRow]) -> dict[str, Any]:
    newest = roots[0]
    return {
        "id": _of(newest, "id"),
        "name": _of(newest, "name"),
        "description": _of(newest, "description") or None,
        "startTime": iso(min(root.start_ns for root in roots)),
        "endTime": iso(max(root.end_ns for root in roots)),
        "itemCount": len({_of(root, "item.id") for root in roots}),
        "datasetId": _of(newest, "dataset.id") or None,
        "metadata": _object(newest, "metadata"),
    }


async def _item(ctx: Context, root: SpanRow) -> dict[str, Any]:
    texts = await texts_of(ctx, root)
    return {
        "id": root.span_id,
        "traceId": root.trace_id,
        "startTime": iso(root.start_ns),
        "endTime": iso(root.end_ns),
        "level": level_of(root),
        "environment": environment_of(root),
        "experimentId": _of(root, "id"),
        "experimentName": _of(root, "name"),
        "experimentItemId": _of(root, "item.id"),
        "experimentDatasetId": _of(root, "dataset.id") or None,
        "experimentItemVersion": _of(root, "item.version") or None,
        "input": loaded(texts.input),
        "output": loaded(texts.output),
        "expectedOutput": loaded(_of(root, "item.expected_output")),
        "metadata": metadata_of(root.attributes, "langfuse.observation."),
        "experimentItemMetadata": _object(root, "item.metadata"),
        "experimentMetadata": _object(root, "metadata"),
        "experimentDescription": _of(root, "description") or None,
    }


def _object(span: SpanRow, word: str) -> dict[str, Any] | None:
    found = loaded(_of(span, word))
    return found if isinstance(found, dict) else None


def _stretch(ordered: list[dict[str, Any]], cursor: str, limit: int) -> dict[str, Any]:
    """A stretch of a list that is ordered by start and id, the last first."""
    size = asked(1, limit).limit
    if cursor:
        place = decode_cursor(cursor, str, str)
        ordered = [one for one in ordered if (one["startTime"], one["id"]) < place]
    shown = ordered[:size]
    meta: dict[str, Any] = {"limit": size}
    if len(ordered) > size:
        meta["cursor"] = encode_cursor(shown[-1]["startTime"], shown[-1]["id"])
    return {"data": shown, "meta": meta}
