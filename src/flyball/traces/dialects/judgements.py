"""Scores that came inside of spans and log records: OpenInference's annotations, and the conventions' evaluation results.

    annotations.0.annotation.{name,score,label,explanation,annotator_kind,identifier,metadata}     also evaluations.0.evaluation.*
    trace.annotations.… and session.annotations.…                                                  about what they name
    the event `gen_ai.evaluation.result`, of a span or as a log record                             about the span

A score's id follows from what it says and where, so that whoever sends it again says nothing new.
https://github.com/Arize-ai/openinference/blob/main/spec/annotations.md
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from flyball.traces.records import Score
from flyball.traces.told import Told, ToldLog

from .contents import event_of, nested
from .texts import parsed, written

EVENT = "gen_ai.evaluation.result"
_LISTS = ("annotations.", "evaluations.")
_SCOPES: tuple[tuple[str, Literal["span", "trace", "session"]], ...] = (
    ("", "span"),
    ("trace.", "trace"),
    ("session.", "session"),
)
_STARTS = tuple(scope + kind for scope, _ in _SCOPES for kind in _LISTS)
_KINDS: Mapping[str, Literal["HUMAN", "LLM", "CODE"]] = {"HUMAN": "HUMAN", "LLM": "LLM", "CODE": "CODE"}
_LONGEST = 1_000
_LATEST = 2**62  # nanoseconds; a later time is in no list


def scores_of(told: Told, logs: Sequence[ToldLog] = ()) -> list[Score]:
    """The scores that a span brings, its own and those of its events and log records. Never raises."""
    if not (told.events or logs or _may_annotate(told)):  # as nearly always
        return []
    found = [
        *_annotations(told),
        *(_result(told, one.attributes, one.time_ns, {}) for one in told.events if one.name == EVENT),
        *(_result(told, log.attributes, log.time_ns, log.body) for log in logs if event_of(log) == EVENT),
    ]
    return [score for score in found if score is not None]


def scores_of_log(log: ToldLog) -> list[Score]:
    """The score that a log record brings about the span that it names, which need not be here."""
    if not (event_of(log) == EVENT and log.trace_id and log.span_id):
        return []
    place = Told(log.trace_id, log.span_id, "", log.time_ns, log.time_ns)
    score = _result(place, log.attributes, log.time_ns, log.body)
    return [] if score is None else [score]


def of_project(scores: list[Score], project: str) -> list[Score]:
    """The scores as the project's."""
    return [msgspec.structs.replace(score, project=project) for score in scores]


def _may_annotate(told: Told) -> bool:
    """Whether it is worth looking at each name."""
    names = " ".join(told.attributes)
    return "annotations." in names or "evaluations." in names


def _annotations(told: Told) -> Iterable[Score | None]:
    names = [name for name in told.attributes if name.startswith(_STARTS)]
    if not names:
        return
    for scope, target in _SCOPES:
        for kind in _LISTS:
            start = scope + kind
            whole = nested({name[len(start) :]: told.attributes[name] for name in names if name.startswith(start)})
            for one in whole if isinstance(whole, list) else ():
                inside = one.get(kind[:-2]) if isinstance(one, dict) else None
                if isinstance(inside, dict):
                    yield _score(told, target, inside, told.end_ns or told.start_ns)


def _result(told: Told, attributes: Mapping[str, Any], time_ns: int, body: Any) -> Score | None:
    start = "gen_ai.evaluation."
    given = {name[len(start) :]: value for name, value in attributes.items() if name.startswith(start)}
    if isinstance(body, dict):
        given = {name.removeprefix(start): value for name, value in body.items()} | given
    return _score(
        told,
        "span",
        {
            "name": given.get("name"),
            "score": given.get("score.value"),
            "label": given.get("score.label"),
            "explanation": given.get("explanation"),
            "annotator_kind": given.get("annotator_kind"),
            "identifier": given.get("identifier"),
        },
        time_ns or told.end_ns,
    )


def _score(
    told: Told, target: Literal["span", "trace", "session"], said: Mapping[str, Any], time_ns: int
) -> Score | None:
    """One judgement; None where it has no name, says nothing, or is about a session that the span does not name."""
    name, value, label = said.get("name"), _number(said.get("score")), _text(said.get("label"))
    explanation = said.get("explanation")
    explanation = written(explanation) if explanation is not None else ""
    target_id = _target(told, target)
    if not (isinstance(name, str) and name and target_id) or (value is None and not label and not explanation):
        return None
    identifier = _text(said.get("identifier"))
    metadata = said.get("metadata")
    metadata = parsed(metadata) if isinstance(metadata, str) else metadata
    rubric = metadata.get("rubric_version", "") if isinstance(metadata, dict) else ""
    says = (told.trace_id, told.span_id, target, name, identifier, str(value), label, explanation)
    return Score(
        score_id="sc_" + hashlib.sha256("\0".join(says).encode(errors="replace")).hexdigest()[:24],
        target_kind=target,
        target_id=target_id,
        trace_id=told.trace_id,
        name=name[:_LONGEST],
        created_ns=time_ns if time_ns < _LATEST else min(told.end_ns, _LATEST - 1),  # an event says any time
        value=value,
        label=label,
        explanation=explanation,
        annotator_kind=_KINDS.get(str(said.get("annotator_kind")).upper(), "CODE"),
        identifier=identifier,
        rubric_version=_text(rubric),
    )


def _target(told: Told, target: Literal["span", "trace", "session"]) -> str:
    if target == "span":
        return told.span_id
    return told.trace_id if target == "trace" else _text(told.attributes.get("session.id"))


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, (int, float)) or value != value or abs(value) == float("inf"):  # noqa: PLR0124 -- NaN
        return None
    return float(value)


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_LONGEST]
