"""Log records that carry what went into and came out of a span, remembered for some minutes until the span itself arrives.

Some instrumentors send a call's messages as log records, in requests of their own. Knows which records may be such; knows
not what stands in them.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from .told import ToldLog

_MOST = 50_000  # spans of which records are remembered
_PREFIX = "gen_ai."
_NAME = "event.name"


class ContentLogs:
    """Records by span; those of the spans heard of longest ago are given up first."""

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._by_span: OrderedDict[tuple[str, str, str], list[ToldLog]] = OrderedDict()

    def add(self, logs: Iterable[tuple[str, ToldLog]]) -> None:
        """Remember those that may be content, each with its project."""
        for project, log in logs:
            if log.span_id and carries_content(log):
                held = self._by_span.setdefault((project, log.trace_id, log.span_id), [])
                if log not in held:  # a batch that is repeated
                    held.append(log)
        while len(self._by_span) > self._most:
            self._by_span.popitem(last=False)

    def of(self, project: str, trace_id: str, span_id: str) -> Sequence[ToldLog]:
        """The records of a span."""
        return self._by_span.get((project, trace_id, span_id), ()) if self._by_span else ()


def carries_content(log: ToldLog) -> bool:
    """Whether a record is one of the conventions' events about a model call."""
    name = log.event_name or log.attributes.get(_NAME, "")
    return isinstance(name, str) and name.startswith(_PREFIX)
