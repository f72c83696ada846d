"""Every dialect's names in one table, so that one look at each attribute of a span is enough. Knows no dialect's meaning.

The dialects stand in order: of two that tell the same field, the earlier one is believed.
"""

from typing import NamedTuple

from .dialect import Dialect, Words
from .genai import GENAI
from .langfuse import LANGFUSE
from .langsmith import LANGSMITH
from .litellm import LITELLM
from .livekit import LIVEKIT
from .logfire import LOGFIRE
from .mlflow import MLFLOW
from .openinference import OPENINFERENCE
from .openllmetry import OPENLLMETRY
from .ours import OURS
from .plain import PLAIN
from .vercel import VERCEL

DIALECTS: tuple[Dialect, ...] = (
    OURS,
    LIVEKIT,  # writes a name of Langfuse's beside its own
    LANGFUSE,
    VERCEL,
    LOGFIRE,
    MLFLOW,
    LITELLM,
    LANGSMITH,
    OPENINFERENCE,
    OPENLLMETRY,
    GENAI,
    PLAIN,
)

_STEP = 1_000  # ranks of one dialect
PLAINLY = (len(DIALECTS) - 1) * _STEP  # from here on, the ranks of what any span may say
BEHIND = 1_000_000  # a rank behind every other: a kind that no table knows, in the producer's own word
_MOST_NAMES = 20_000  # that one table remembers beside its own
_MOST_SCOPES = 500


class Rule(NamedTuple):
    """What an attribute tells. The lowest rank under a field wins; `cut` characters of a gathered name are left out.

    Counts of tokens, which are kept as told besides, have -1 there.
    """

    field: str
    rank: int
    cut: int
    words: Words | str | None
    label: int  # the number of the dialect that one recognises by it
    also: str = ""  # the field that an attribute fills which is a sign of a kind as well


class Table(dict[str, Rule | None]):
    """Rules by the names of attributes. Asked for another name, it looks among the beginnings and remembers what it found."""

    def __init__(self, rules: dict[str, Rule], beginnings: dict[str, Rule], label: int) -> None:
        super().__init__(rules)
        self.label = label  # of the dialect whose library the scope is
        self._rules = rules
        self._beginnings = beginnings
        self._any = tuple(beginnings)

    def __missing__(self, name: str) -> Rule | None:
        rule = None
        if name.startswith(self._any):
            rule = max((len(start), each) for start, each in self._beginnings.items() if name.startswith(start))[1]
        if len(self) > len(self._rules) + _MOST_NAMES:
            self.clear()
            self.update(self._rules)
        self[name] = rule
        return rule


def table_of(scope: str) -> Table:
    """The table for spans of one instrumentation scope: names that only its library uses so are in it."""
    table = _tables.get(scope)
    if table is None:
        if len(_tables) > _MOST_SCOPES:
            _tables.clear()
        table = _tables[scope] = _built(scope)
    return table


def _built(scope: str) -> Table:
    rules: dict[str, Rule] = {}
    beginnings: dict[str, Rule] = {}
    label = len(DIALECTS) - 1
    for number, dialect in enumerate(DIALECTS):
        mine = bool(dialect.scopes) and scope.startswith(dialect.scopes)
        label = min(label, number) if mine else label
        rank = number * _STEP
        told = [*dialect.fields.items(), *(dialect.own.items() if mine else ())]
        for field, names in told:
            for place, name in enumerate(names):
                cut = -1 if field.startswith("tokens.") else 0
                rules.setdefault(name, Rule(field, rank + place, cut, None, _label(number, name)))
        for place, (name, words) in enumerate(dialect.kinds.items()):
            rules.setdefault(name, Rule("kind", rank + place, 0, words, _label(number, name)))
        for place, (name, words) in enumerate(dialect.own_kinds.items() if mine else ()):
            # A sign, which anybody's plain word outdoes.
            also = rules[name].field if name in rules else ""
            rules[name] = Rule("kind", PLAINLY - _STEP // 2 + place, 0, words, _label(number, name), also)
        gathered = [*dialect.gathered.items(), *(dialect.own_gathered.items() if mine else ())]
        for field, starts in gathered:
            for start in starts:
                beginnings.setdefault(start, Rule(field, rank, len(start), None, _label(number, start)))
    return Table(rules, beginnings, label)


def _label(number: int, name: str) -> int:
    spoken = DIALECTS[number].speaks
    return number if spoken and name.startswith(spoken) else len(DIALECTS) - 1


_tables: dict[str, Table] = {}
