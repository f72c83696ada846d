"""Scores and their configs as Langfuse's clients create, list and look them up. A score is never changed: a newer one takes its place."""

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from starlette.requests import Request

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.kit.errors import FlyballError, InvalidInputError, NotFoundError
from flyball.kit.paging import decode_cursor, encode_cursor
from flyball.surface.http import Body, ContextDep, Json, Router
from flyball.traces import score_configs, service
from flyball.traces.records import Score, ScoreFilter
from flyball.traces.score_config_records import Category, ConfigName, DataType, ScoreConfig

from .ids import span_id_of, trace_id_of
from .judging import Judgement, data_type_of, id_of, judged, read, shown, shown_newer
from .shapes import Numbered, Refusal, asked, iso, nanoseconds, numbered

router = Router("/api/public", tag="langfuse", failure=Refusal)
sent = Router(
    "/api/public", tag="langfuse", failure=dict[str, Any]
)  # a batch is answered otherwise: 202 or 207, or why not

MOST_SCORES = 10_000  # the newest, among which a list is made
_MOST_AT_ONCE = 1_000
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """Under which id a score is kept."""

    id: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """All of a batch is kept."""

    message: str = "Accepted"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Why one of a batch is not kept."""

    message: str


class Partly(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a batch are not kept."""

    accepted: int
    rejected: int
    errors: tuple[Refused, ...]


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a list goes on; without a cursor it does not."""

    limit: int
    cursor: str = ""


class Judgements(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a list of scores."""

    data: tuple[Judgement, ...]
    meta: Cursor


class NewScoreConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A rule for scores of a name."""

    name: ConfigName
    data_type: DataType
    categories: Annotated[tuple[Category, ...], msgspec.Meta(max_length=1_000)] | None = None
    min_value: float | None = None
    max_value: float | None = None
    description: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None


class ScoreConfigChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What becomes of a score config; what is left out stays."""

    is_archived: bool | None = None
    name: ConfigName | None = None
    categories: Annotated[tuple[Category, ...], msgspec.Meta(max_length=1_000)] | None = None
    min_value: float | None = None
    max_value: float | None = None
    description: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None


class ScoreConfigShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A score config as they read it."""

    id: str
    name: str
    created_at: str
    updated_at: str
    project_id: str
    data_type: str
    is_archived: bool
    min_value: float | None
    max_value: float | None
    categories: tuple[Category, ...] | None
    description: str | None


@sent.post("/scores", permission="scores.write", returns=dict[str, Any])
async def create_scores(ctx: ContextDep, given: Any = Body(dict[str, Any] | list[Any])) -> Any:
    """Keep a score, or a batch of them. Under one id the newest counts; the same again changes nothing."""
    if isinstance(given, dict):
        score = await judged(ctx, read(given))
        await service.record_scores(ctx, [score])
        return Created(id=id_of(score))
    if len(given) > _MOST_AT_ONCE:
        raise InvalidInputError(f"a batch of {len(given):,} scores is too large", next_step=f"send {_MOST_AT_ONCE:,}")
    kept: list[Score] = []
    refused = []
    for one in given:
        try:
            kept.append(await judged(ctx, read(one)))
        except FlyballError as error:
            refused.append(Refused(message=error.message))
    await service.record_scores(ctx, kept)
    if not refused:
        return Json(Accepted(), status_code=202)
    return Json(Partly(accepted=len(kept), rejected=len(refused), errors=tuple(refused)), status_code=207)


@router.get("/v2/scores", permission="scores.read", returns=Numbered[Judgement])
async def list_scores(
    ctx: ContextDep, request: Request, page: int | None = None, limit: int | None = None
) -> Numbered[Judgement]:
    """The scores that count, newest first, of the newest 10,000. Reading them is recorded, once an hour."""
    wanted = asked(page, limit)
    found = await _found(ctx, request.query_params)
    return numbered([shown(score) for score in found], wanted)


@router.get("/v2/scores/{score_id}", permission="scores.read", returns=Judgement)
async def get_score(ctx: ContextDep, score_id: str) -> Judgement:
    """One score, of the newest 10,000. Reading it is recorded, once an hour."""
    found = await _found(ctx, {"scoreIds": score_id})
    if not found:
        raise NotFoundError(f"there is no score {score_id!r:.100}", next_step="list the scores to see which there are")
    return shown(found[0])


@router.get("/v3/scores", permission="scores.read", returns=Judgements)
async def list_scores_on(ctx: ContextDep, request: Request, cursor: str = "", limit: int = 50) -> Judgements:
    """The scores that count, newest first, of the newest 10,000, stretch by stretch. Reading them is recorded, once an hour."""
    size = asked(1, limit).limit
    found = await _found(ctx, request.query_params)
    if cursor:
        place = decode_cursor(cursor, int, str)
        found = [score for score in found if (score.created_ns, id_of(score)) < place]
    stretch = found[:size]
    more = encode_cursor(stretch[-1].created_ns, id_of(stretch[-1])) if len(found) > size else ""
    return Judgements(data=tuple(shown_newer(score) for score in stretch), meta=Cursor(limit=size, cursor=more))


async def _found(ctx: Context, said: Mapping[str, str]) -> list[Score]:
    """What the questions in an address leave, newest first."""
    kinds = {"observationId": "span", "sessionId": "session", "datasetRunId": "run", "experimentId": "run"}
    kind, target = next(((kinds[name], said[name]) for name in kinds if said.get(name)), ("", ""))
    wanted = ScoreFilter(
        name=said.get("name", "") if "," not in said.get("name", "") else "",
        trace_id=trace_id_of(said.get("traceId", "")),
        target_kind=kind,
        target_id=span_id_of(target) if kind == "span" else target,
        since_ns=nanoseconds(said["fromTimestamp"], "fromTimestamp") if said.get("fromTimestamp") else 0,
        until_ns=nanoseconds(said["toTimestamp"], "toTimestamp") if said.get("toTimestamp") else 2**62,
    )
    scores = await service.find_scores(ctx, wanted, most=MOST_SCORES)
    await audit.record_read(ctx, action="scores.read", object_kind="project", object_id=ctx.project)
    fits = _filter(said)
    ordered = sorted(scores, key=lambda score: (score.created_ns, id_of(score)), reverse=True)
    return [score for score in ordered if fits(score)]


def _filter(said: Mapping[str, str]) -> Callable[[Score], bool]:
    listed = {
        name: frozenset(one.strip() for one in said[name].split(",")) if said.get(name) else frozenset[str]()
        for name in (
            "id",
            "scoreIds",
            "name",
            "source",
            "dataType",
            "configId",
            "environment",
            "authorUserId",
            "queueId",
        )
    }
    ids = listed["id"] | listed["scoreIds"]
    bounds = [(_OPERATORS[sign], float(said[name])) for sign, name in _bounds(said)]

    def fits(score: Score) -> bool:
        plain = shown(score)
        exact = {
            "name": plain.name,
            "source": plain.source,
            "dataType": data_type_of(score),
            "configId": plain.config_id or "",
            "environment": plain.environment,
            "authorUserId": plain.author_user_id or "",
            "queueId": plain.queue_id or "",
        }
        same = all(not listed[name] or value in listed[name] for name, value in exact.items())
        number = score.value
        held = all(number is not None and compare(number, bound) for compare, bound in bounds)
        return same and held and (not ids or plain.id in ids)

    return fits


def _bounds(said: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which comparisons with which named number are asked for. Raises InvalidInputError."""
    found = [(sign, name) for sign, name in ((">=", "valueMin"), ("<=", "valueMax")) if said.get(name)]
    if said.get("value"):
        found.append((said.get("operator") or "=", "value"))
    for sign, name in found:
        if sign not in _OPERATORS:
            raise InvalidInputError(f"{sign!r:.20} compares nothing", next_step=f"use {' '.join(_OPERATORS)}")
        try:
            float(said[name])
        except ValueError:
            raise InvalidInputError(f"{name}: {said[name]!r:.60} is no number") from None
    return found


@router.post("/score-configs", permission="scores.write", returns=ScoreConfigShown)
async def create_config(ctx: ContextDep, new: NewScoreConfig = Body(NewScoreConfig)) -> ScoreConfigShown:
    """Make a rule for scores of a name."""
    return _config(
        await score_configs.create_config(
            ctx,
            new.name,
            new.data_type,
            min_value=new.min_value,
            max_value=new.max_value,
            categories=new.categories,
            description=new.description or "",
        )
    )


@router.get("/score-configs", permission="scores.read", returns=Numbered[ScoreConfigShown])
async def list_configs(
    ctx: ContextDep, page: int | None = None, limit: int | None = None
) -> Numbered[ScoreConfigShown]:
    """The project's score configs, newest first."""
    return numbered([_config(one) for one in await score_configs.list_configs(ctx)], asked(page, limit))


@router.get("/score-configs/{config_id}", permission="scores.read", returns=ScoreConfigShown)
async def get_config(ctx: ContextDep, config_id: str) -> ScoreConfigShown:
    """One score config."""
    return _config(await score_configs.get_config(ctx, config_id))


@router.add("PATCH", "/score-configs/{config_id}", permission="scores.write", returns=ScoreConfigShown)
async def update_config(
    ctx: ContextDep, config_id: str, change: ScoreConfigChange = Body(ScoreConfigChange)
) -> ScoreConfigShown:
    """Change a score config, or archive it: then no new score may name it."""
    ours = {"is_archived": "archived"}
    given = {name: getattr(change, name) for name in ScoreConfigChange.__struct_fields__}
    changes = {ours.get(name, name): value for name, value in given.items() if value is not None}
    return _config(await score_configs.update_config(ctx, config_id, changes))


def _config(config: ScoreConfig) -> ScoreConfigShown:
    return ScoreConfigShown(
        id=config.id,
        name=config.name,
        created_at=iso(config.created_ns),
        updated_at=iso(config.updated_ns),
        project_id=config.project,
        data_type=config.data_type,
        is_archived=config.archived,
        min_value=config.min_value,
        max_value=config.max_value,
        categories=config.categories,
        description=config.description or None,
    )
