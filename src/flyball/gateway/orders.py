"""What the gateway and the runner say to each other: an order with everything that a run needs, and lines of an answer."""

from typing import Any

import msgspec

from flyball.functions.records import Answer, CallIds, PinnedVariant
from flyball.traces.records import Span

RUN_PATH = "/run"
LEFT_PATH = (
    "/left"  # the order's `CallIds`: what became of a run whose caller has gone, in a line; it is ended for that
)


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Run this variant on this input. No SQL is needed: the variant names everything by version and hash."""

    variant: PinnedVariant
    input: dict[str, Any]
    ids: CallIds
    stream: bool = False
    guarded: bool = True  # false for the operator's own projects: a model may answer at any address


class RunRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer, and what was done until then."""

    status: int
    code: str
    message: str
    next_step: str = ""
    spans: tuple[Span, ...] = ()


class RunLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the runner's answer: a piece of text, or at the end the answer or the refusal."""

    delta: str = ""
    answer: Answer | None = None
    refusal: RunRefusal | None = None
