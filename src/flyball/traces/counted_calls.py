"""Calls of a model that several spans tell: a framework's, that of the client below it, the gateway's. They are counted once.

What was used stands on the innermost span; those around it keep what they told in `usage_raw`. An inner span lies below its
outer one, or beside it within its time where the outer library does not tell the inner one of itself. It ends before its
outer one and is told before it, or with it. A moment tells of a call that ended before it: Logfire does so of streams.
Knows spans in the order in which they arrive; knows no table.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from flyball.llm.usage import Usage

from .records import Span

MOST = 100_000  # spans whose inner calls are remembered: some minutes of a busy producer
_MOST_UNDER_ONE = 256  # calls that are remembered under one span

_Place: TypeAlias = tuple[str, str, str]  # project, trace id, span id


class Heard(NamedTuple):
    """A span, whose project it is, and the instrumentation scope that told of it."""

    project: str
    scope: str
    span: Span


class Used(NamedTuple):
    """What of a span says which call it tells, and what that used."""

    project: str
    scope: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    prompt_tokens: int
    total_tokens: int
    response_id: str
    priced: bool


class CountedCalls:
    """Remembers which calls were counted below which span, for as long as outer spans are likely to follow."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._below: OrderedDict[_Place, dict[str, Used]] = OrderedDict()  # by the span that counts it

    def once(self, heard: Sequence[Heard]) -> list[Span]:
        """The spans, in their order; one that repeats what spans below or within it used counts nothing itself.

        Its cost stays where none of those has one.
        """
        counted = [span for _, _, span in heard]
        for index, priced in self.repeated([_used(each) for each in heard]).items():
            counted[index] = _counting_nothing(counted[index], priced=priced)
        return counted

    def repeated(self, heard: Sequence[Used]) -> dict[int, bool]:
        """Which of the spans repeat what spans below or within them used, by their places; whether one of those has a cost."""
        repeated: dict[int, bool] = {}
        for index in sorted(range(len(heard)), key=lambda index: (-heard[index].start_ns, heard[index].end_ns)):
            one = heard[index]
            below = self._below.get((one.project, one.trace_id, one.span_id)) if self._below else None
            if one.total_tokens:
                beside = self._beside(one)
                same = _repeated(one, [*(below or {}).values(), *beside]) if below or beside else ()
                if same:
                    repeated[index] = any(call.priced for call in same)
                else:
                    below = {**(below or {}), one.span_id: one}
            if below and one.parent_id:
                self._note((one.project, one.trace_id, one.parent_id), below)
        for index, one in enumerate(heard):
            if one.start_ns == one.end_ns and one.total_tokens and index not in repeated:
                before = [call for call in self._around(one) if call.end_ns <= one.start_ns]
                if same := _repeated(one, before):
                    repeated[index] = any(call.priced for call in same)
        return repeated

    def _beside(self, one: Used) -> list[Used]:
        """Calls under the same parent, within the span's time, of which another library told. Its own are calls at the same time."""
        around = self._around(one)
        return [call for call in around if one.start_ns <= call.start_ns and call.end_ns <= one.end_ns]

    def _around(self, one: Used) -> list[Used]:
        """Calls under the same parent of which another library told."""
        if not one.parent_id or not self._below:
            return []
        around = self._below.get((one.project, one.trace_id, one.parent_id), {})
        return [call for call in around.values() if call.scope != one.scope]

    def _note(self, place: _Place, calls: dict[str, Used]) -> None:
        known = self._below.setdefault(place, {})
        if len(known) < _MOST_UNDER_ONE:
            known |= calls
        while len(self._below) > self._most:
            self._below.popitem(last=False)


def _used(heard: Heard) -> Used:
    project, scope, span = heard
    usage, priced = span.usage, span.cost_nano_usd is not None
    return Used(
        project, scope, span.trace_id, span.span_id, span.parent_id, span.start_ns, span.end_ns,
        usage.prompt_tokens, usage.total_tokens, span.response_id, priced,
    )  # fmt: skip


def _repeated(one: Used, calls: list[Used]) -> list[Used]:
    """Those of the calls that are the one, or the several, that the span tells again."""
    same = [call for call in calls if _is_same(one, call)]
    prompt = one.prompt_tokens
    if same or len(calls) < 2 or not prompt or prompt != sum(call.prompt_tokens for call in calls):
        return same
    return calls


def _is_same(one: Used, call: Used) -> bool:
    """By the answer's id where both tell it, else by the prompt's size."""
    if one.response_id and call.response_id:
        return one.response_id == call.response_id
    return bool(call.prompt_tokens) and one.prompt_tokens == call.prompt_tokens


def _counting_nothing(span: Span, *, priced: bool) -> Span:
    if priced:
        return msgspec.structs.replace(span, usage=Usage(), cost_nano_usd=None, price_version="")
    return msgspec.structs.replace(span, usage=Usage())
