"""A score as their clients write it, as ours, and back. Pure but for the score config that it names."""

from typing import Annotated, Any, Literal

import msgspec

from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError
from flyball.kit.ids import new_id
from flyball.traces import score_configs
from flyball.traces.records import Score
from flyball.traces.score_config_records import value_under

from .ids import span_id_of, trace_id_of
from .shapes import Id, Label, iso, nanoseconds

DataType = Literal["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION"]
_LONGEST = 100_000
_SOURCES = {"API": "CODE", "EVAL": "LLM", "ANNOTATION": "HUMAN"}
_ANNOTATORS = {ours: theirs for theirs, ours in _SOURCES.items()}


class NewScore(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A score to keep, of a trace, an observation in it, a session, or a run of a dataset."""

    name: Label
    value: float | str | bool
    id: Id | None = None
    trace_id: Id | None = None
    observation_id: Id | None = None
    session_id: Id | None = None
    dataset_run_id: Id | None = None
    comment: Annotated[str, msgspec.Meta(max_length=_LONGEST)] | None = None
    metadata: Any = None
    environment: Label | None = None
    queue_id: Id | None = None
    config_id: Id | None = None
    data_type: DataType | None = None
    source: Literal["API", "EVAL", "ANNOTATION"] | None = None
    timestamp: str | None = None


def read(given: Any) -> NewScore:
    """A score from plain JSON. Raises InvalidInputError."""
    try:
        return msgspec.convert(given, NewScore)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"the score is not as expected: {error}".replace("`", "")) from None


async def judged(ctx: Context, new: NewScore, timestamp: str | None = None) -> Score:
    """The score as ours. Raises InvalidInputError, ScoreConfigNotFoundError, ScoreUnfitError."""
    kind, target = _target(new)
    data_type, value, label = _value(new)
    if new.config_id:
        config = await score_configs.get_config(ctx, new.config_id)
        data_type = config.data_type if new.data_type is None else data_type
        value = value_under(config, new.name, value, label)
    now_ns = ctx.clock.now_ns()
    said = new.timestamp or timestamp
    id_ = new_id("sc", now_ns)
    own_words = {
        "data_type": data_type,
        "metadata": new.metadata,
        "environment": new.environment,
        "config_id": new.config_id,
        "queue_id": new.queue_id,
        "session_id": new.session_id if kind != "session" else None,
    }
    return Score(
        score_id=id_,
        target_kind=kind,
        target_id=target,
        trace_id=trace_id_of(new.trace_id or ""),
        name=new.name,
        created_ns=min(nanoseconds(said, "timestamp"), now_ns) if said else now_ns,
        value=value,
        label="" if data_type == "CORRECTION" else label,
        correction=label if data_type == "CORRECTION" else "",
        explanation=new.comment or "",
        annotator_kind=_SOURCES[new.source or "API"],  # type: ignore[arg-type] # its values are those of the record
        annotator_id=ctx.actor.id,
        identifier=new.id or id_,
        attributes={name: word for name, word in own_words.items() if word is not None},
    )


def _target(new: NewScore) -> tuple[Literal["span", "trace", "session", "run"], str]:
    if new.observation_id:
        if not new.trace_id:
            raise InvalidInputError("a score of an observation names its trace too", next_step="add traceId")
        return "span", span_id_of(new.observation_id)
    if new.trace_id:
        return "trace", trace_id_of(new.trace_id)
    if new.session_id:
        return "session", new.session_id
    if new.dataset_run_id:
        return "run", new.dataset_run_id
    raise InvalidInputError(
        f"the score {new.name!r:.100} names nothing that it judges",
        next_step="add traceId, traceId with observationId, sessionId or datasetRunId",
    )


def _value(new: NewScore) -> tuple[DataType, float | None, str]:
    """Of which type it is, its number, its words."""
    given = new.value
    kind = new.data_type or (
        "BOOLEAN" if isinstance(given, bool) else "CATEGORICAL" if isinstance(given, str) else "NUMERIC"
    )
    if kind in {"NUMERIC", "BOOLEAN"}:
        if isinstance(given, str) or given != given or abs(given) > 1e300:  # noqa: PLR0124 -- NaN alone is not itself
            raise InvalidInputError(
                f"the value of the {kind} score {new.name!r:.100} is no number: {given!r:.60}",
                next_step="give a finite number",
            )
        if kind == "NUMERIC":
            return kind, float(given), ""
        if given not in {0, 1}:
            raise InvalidInputError(
                f"the value of the BOOLEAN score {new.name!r:.100} is neither 0 nor 1: {given}", next_step="give 0 or 1"
            )
        return kind, float(given), "True" if given else "False"
    if not isinstance(given, str):
        raise InvalidInputError(
            f"the value of the {kind} score {new.name!r:.100} is no text: {given}",
            next_step="give a text, or make it NUMERIC",
        )
    most = _LONGEST if kind == "CORRECTION" else 1_000
    if len(given) > most:
        raise InvalidInputError(
            f"the value of the {kind} score {new.name!r:.100} has more than {most:,} characters",
            next_step="say it in fewer",
        )
    return kind, None, given


class Judgement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A score as they read it. What has no value is left out."""

    id: str
    project_id: str
    name: str
    data_type: str
    value: Any
    string_value: str | msgspec.UnsetType = msgspec.UNSET
    trace_id: str | None = None
    observation_id: str | None = None
    session_id: str | None = None
    dataset_run_id: str | None = None
    source: str
    timestamp: str
    created_at: str
    updated_at: str
    author_user_id: str | None = None
    comment: str | None = None
    metadata: Any = None
    config_id: str | None = None
    queue_id: str | None = None
    environment: str
    subject: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


def shown(score: Score) -> Judgement:
    """A score of ours, whoever gave it: feedback of people and judgements of evaluations too."""
    words, when = score.attributes, iso(score.created_ns)
    data_type = data_type_of(score)
    text = score.correction if data_type == "CORRECTION" else score.label
    of = score.target_kind
    return Judgement(
        id=id_of(score),
        project_id=score.project,
        name=score.name,
        data_type=data_type,
        value=score.value if score.value is not None else 0.0,
        string_value=msgspec.UNSET if data_type == "NUMERIC" else text,
        trace_id=score.trace_id or None,
        observation_id=score.target_id if of == "span" else None,
        session_id=score.target_id if of == "session" else words.get("session_id"),
        dataset_run_id=score.target_id if of == "run" else None,
        source=_ANNOTATORS[score.annotator_kind],
        timestamp=when,
        created_at=when,
        updated_at=when,
        author_user_id=score.annotator_id or None,
        comment=score.explanation or None,
        metadata=words.get("metadata"),
        config_id=words.get("config_id"),
        queue_id=words.get("queue_id"),
        environment=str(words.get("environment") or "default"),
    )


def shown_newer(score: Score) -> Judgement:
    """The same as their third version of it has it: the value in its own type, and what it judges as one thing."""
    plain = shown(score)
    number, text = plain.value, plain.string_value
    value = bool(number) if plain.data_type == "BOOLEAN" else number if plain.data_type == "NUMERIC" else text
    kinds = {"span": "observation", "trace": "trace", "session": "session", "run": "experiment"}
    subject = {"kind": kinds.get(score.target_kind, "trace"), "id": score.target_id}
    if score.target_kind == "span":
        subject["traceId"] = score.trace_id
    return msgspec.structs.replace(plain, value=value, string_value=msgspec.UNSET, subject=subject)


def data_type_of(score: Score) -> str:
    """Which type of theirs it is: as it was said, or as it reads."""
    said = score.attributes.get("data_type")
    if isinstance(said, str):
        return said
    if score.value is None:
        return "CATEGORICAL" if score.label or not score.correction else "CORRECTION"
    return "NUMERIC"


def id_of(score: Score) -> str:
    """Under which id they know it: the one that they gave."""
    return score.identifier or score.score_id
