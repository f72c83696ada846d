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


class _Call(NamedTuple):
    scope: str
    start_ns: int
    end_ns: int
    prompt_tokens: int
    response_id: str
    priced: bool


class CountedCalls:
    """Remembers which calls were counted below which span, for as long as outer spans are likely to follow."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._below: OrderedDict[_Place, dict[str, _Call]] = OrderedDict()  # by the span that counts it

    def once(self, heard: Sequence[Heard]) -> list[Span]:
        """The spans, in their order; one that repeats what spans below or within it used counts nothing itself.

        Its cost stays where none of those has one.
        """
        counted = [span for _, _, span in heard]
        for index in sorted(range(len(heard)), key=lambda index: (-counted[index].start_ns, counted[index].end_ns)):
            project, scope, span = heard[index]
            below = self._below.get((project, span.trace_id, span.span_id)) if self._below else None
            if span.usage.total_tokens:
                beside = self._beside(project, scope, span)
                same = _repeated(span, [*(below or {}).values(), *beside]) if below or beside else ()
                if same:
                    counted[index] = _counting_nothing(span, priced=any(call.priced for call in same))
                else:
                    below = {**(below or {}), span.span_id: _call(scope, span)}
            if below and span.parent_id:
                self._note((project, span.trace_id, span.parent_id), below)
        for index, (project, scope, span) in enumerate(heard):
            if span.start_ns == span.end_ns and counted[index].usage.total_tokens:
                before = self._around(project, scope, span)
                if same := _repeated(span, [call for call in before if call.end_ns <= span.start_ns]):
                    counted[index] = _counting_nothing(span, priced=any(call.priced for call in same))
        return counted

    def _beside(self, project: str, scope: str, span: Span) -> list[_Call]:
        """Calls under the same parent, within the span's time, of which another library told. Its own are calls at the same time."""
        around = self._around(project, scope, span)
        return [call for call in around if span.start_ns <= call.start_ns and call.end_ns <= span.end_ns]

    def _around(self, project: str, scope: str, span: Span) -> list[_Call]:
        if not span.parent_id or not self._below:
            return []
        around = self._below.get((project, span.trace_id, span.parent_id), {})
        return [call for call in around.values() if call.scope != scope]

    def _note(self, place: _Place, calls: dict[str, _Call]) -> None:
        known = self._below.setdefault(place, {})
        if len(known) < _MOST_UNDER_ONE:
            known |= calls
        while len(self._below) > self._most:
            self._below.popitem(last=False)


def _call(scope: str, span: Span) -> _Call:
    priced = span.cost_nano_usd is not None
    return _Call(scope, span.start_ns, span.end_ns, span.usage.prompt_tokens, span.response_id, priced)


def _repeated(span: Span, calls: list[_Call]) -> list[_Call]:
    """Those of the calls that are the one, or the several, that the span tells again."""
    same = [call for call in calls if _is_same(span, call)]
    prompt = span.usage.prompt_tokens
    if same or len(calls) < 2 or not prompt or prompt != sum(call.prompt_tokens for call in calls):
        return same
    return calls


def _is_same(span: Span, call: _Call) -> bool:
    """By the answer's id where both tell it, else by the prompt's size."""
    if span.response_id and call.response_id:
        return span.response_id == call.response_id
    return bool(call.prompt_tokens) and span.usage.prompt_tokens == call.prompt_tokens


def _counting_nothing(span: Span, *, priced: bool) -> Span:
    if priced:
        return msgspec.structs.replace(span, usage=Usage(), cost_nano_usd=None, price_version="")
    return msgspec.structs.replace(span, usage=Usage())
