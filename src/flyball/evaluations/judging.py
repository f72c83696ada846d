"""One item, one variant: ask, time, judge. A failure becomes a result with its reason, never an exception.

Knows scorers and the shape of answers; how an answer is made is given to it. Pure but for the clock it is handed.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from flyball.functions import Answer, PinnedVariant
from flyball.kit.clock import Clock
from flyball.kit.errors import FlyballError
from flyball.scorers import Answered, Scorer

from .errors import RunStoppedError
from .records import NOT_APPLICABLE, Item, Result

Ask = Callable[[PinnedVariant, dict[str, Any]], Awaitable[Answer]]

LONGEST_TEXT = 4_000
LONGEST_REASON = 500


async def judge_item(item: Item, variant: PinnedVariant, scorers: Sequence[Scorer], ask: Ask, clock: Clock) -> Result:
    """The result of asking `variant` for `item`. Raises RunStoppedError, where it may not be asked."""
    started = clock.monotonic_ns()
    try:
        answer = await ask(variant, input_of(variant, item.row))
    except RunStoppedError:
        raise  # no fault of the variant's
    except FlyballError as error:
        return _failed(item, variant, scorers, error.message, clock.monotonic_ns() - started)
    except Exception as error:  # noqa: BLE001 -- a door: one item's failure is a result, the run goes on
        return _failed(item, variant, scorers, f"{type(error).__name__}: {error}", clock.monotonic_ns() - started)
    latency_ns = clock.monotonic_ns() - started
    answered = as_scorers_see(answer)
    scores, unscored = _scores(scorers, answered, item.row)
    return Result(
        position=item.position,
        item_id=item.id,
        item_hash=item.hash,
        variant=variant.name,
        variant_hash=variant.hash,
        status="answered",
        scores=scores,
        unscored=unscored,
        text=answer.text[:LONGEST_TEXT],
        retrieved=answered.retrieved,
        latency_ns=latency_ns,
        cost_nano_usd=answer.cost_nano_usd,
    )


def input_of(variant: PinnedVariant, row: dict[str, Any]) -> dict[str, Any]:
    """The function's input in a row: its `input` object where it has one, else the fields that the input schema names."""
    properties = variant.spec.get("input", {}).get("properties", {})
    if isinstance(row.get("input"), dict) and "input" not in properties:
        return dict(row["input"])
    return {name: row[name] for name in properties if name in row}


def as_scorers_see(answer: Answer) -> Answered:
    """The text, the output, and the ranking: titles of the passages, or of the citations where there are no passages."""
    titles = [passage.title for passage in answer.passages] or [citation.title for citation in answer.citations]
    output = answer.text if answer.output is None else answer.output
    return Answered(text=answer.text, output=output, retrieved=tuple(dict.fromkeys(titles)))


def _scores(
    scorers: Sequence[Scorer], answered: Answered, row: dict[str, Any]
) -> tuple[dict[str, float], dict[str, str]]:
    scores: dict[str, float] = {}
    unscored: dict[str, str] = {}
    for scorer in scorers:
        try:
            value = scorer.judge(answered, row)
        except Exception as error:  # noqa: BLE001 -- a door: a scorer that breaks is counted, the run goes on
            unscored[scorer.name] = f"error: {type(error).__name__}: {error}"[:LONGEST_REASON]
            continue
        if value is None:
            unscored[scorer.name] = NOT_APPLICABLE
        elif not math.isfinite(value):
            unscored[scorer.name] = f"error: {value} is no score"
        elif not scorer.lowest <= value <= scorer.highest:
            unscored[scorer.name] = f"error: {value} is outside {scorer.lowest:g} to {scorer.highest:g}"
        else:
            scores[scorer.name] = float(value)
    return scores, unscored


def _failed(item: Item, variant: PinnedVariant, scorers: Sequence[Scorer], reason: str, latency_ns: int) -> Result:
    """An item without an answer: the lowest score of each metric that its row can be judged by."""
    scores, unscored = _scores(scorers, Answered(), item.row)
    lowest = {scorer.name: scorer.lowest for scorer in scorers if scorer.name in scores}
    return Result(
        position=item.position,
        item_id=item.id,
        item_hash=item.hash,
        variant=variant.name,
        variant_hash=variant.hash,
        status="failed",
        error=reason[:LONGEST_REASON],
        scores=lowest,
        unscored=unscored,
        latency_ns=latency_ns,
        cost_nano_usd=None if variant.kind == "prompt" else 0,
    )
