"""What a span's attributes tell, field by field, in the order in which dialects are believed.

Spans of one library have the same names again and again, so what names tell together is worked out once for all of them
(a plan) and only values are looked at afterwards. Knows tables; knows neither our records nor what a field's value means.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .tables import BEHIND, Rule, table_of

_LONGEST = 1_000  # characters of a kind
_MOST_HELD = 100_000  # names in all plans together; then they are worked out anew
_NEVER = 2 * BEHIND


class Read(NamedTuple):
    """The values of the fields that were told, the gathered ones by their names, the kind, and the dialect's number.

    `rank` is that of the kind: the lower, the plainer it was said. Without a kind it is "" and behind all others.
    """

    found: dict[str, Any]
    gathered: dict[str, dict[str, Any]]
    kind: str
    rank: int
    label: int


class Plan(NamedTuple):
    """What attributes of certain names tell. Places of attributes: of the value that fills each field, of each gathered name's, of what tells a kind by rank."""

    found: tuple[tuple[str, int], ...]
    gathered: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    kinds: tuple[tuple[int, Rule], ...]
    label: int


def read(attributes: Mapping[str, Any], scope: str) -> Read:
    """What the attributes of a span of this instrumentation scope tell. A value that is empty or None tells nothing."""
    attributes = saying(attributes)
    plan = plan_of(scope, attributes)
    values = list(attributes.values())
    found = {field: values[place] for field, place in plan.found}
    gathered = {field: {name: values[place] for name, place in names} for field, names in plan.gathered}
    return Read(found, gathered, *kind_told(plan, values), plan.label)


def saying(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes without those that tell nothing: the same ones, where all tell something."""
    values = attributes.values()
    if "" in values or None in values:
        return {name: value for name, value in attributes.items() if value is not None and value != ""}
    return attributes


def plan_of(scope: str, attributes: Mapping[str, Any]) -> Plan:
    """What attributes of these names tell."""
    key = (scope, tuple(attributes))
    return _plans.get(key) or _planned(key)


def kind_told(plan: Plan, values: Sequence[Any]) -> tuple[str, int]:
    """The kind and its rank, which follow from the texts of the values that tell it."""
    kind, rank = "", _NEVER
    for place, rule in plan.kinds:
        said_rank, said = _spoken(rule, values[place])
        if said_rank < rank:
            kind, rank = said, said_rank
    return kind, rank


def together(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The attributes of a span and of what stands for it elsewhere as one; of two values that tell something, the first."""
    whole: dict[str, Any] = {}
    for table in tables:
        for name, value in table.items():
            if value is not None and value != "":
                whole.setdefault(name, value)
    return whole


def _spoken(rule: Rule, value: Any) -> tuple[int, str]:
    """A kind in our words; one that no table knows in the producer's, behind all others."""
    words = rule.words
    if words is None or isinstance(words, str):
        return rule.rank, words or ""
    said = str(value).lower().strip('"')[:_LONGEST]
    ours = words.get(said) or words.get("*")
    return (rule.rank, ours) if ours else (rule.rank + BEHIND, said)


_plans: dict[tuple[str, tuple[str, ...]], Plan] = {}
_held = 0


def _planned(key: tuple[str, tuple[str, ...]]) -> Plan:
    global _held  # noqa: PLW0603 -- how much the plans above hold
    plan = _plan(*key)
    if _held > _MOST_HELD:
        _plans.clear()
        _held = 0
    if len(key[1]) < _MOST_HELD // 100:
        _plans[key] = plan
        _held += len(key[1]) + 1
    return plan


def _plan(scope: str, names: tuple[str, ...]) -> Plan:
    table = table_of(scope)
    best: dict[str, tuple[int, int]] = {}  # rank and place of the best name of each field
    signs: dict[str, int] = {}
    gathered: dict[str, dict[str, int]] = {"tokens": {}}
    kinds: list[tuple[int, Rule]] = []
    labels = {table.label}
    for place, name in enumerate(names):
        rule = table[name]
        if rule is None:
            continue
        labels.add(rule.label)
        if rule.cut > 0:
            inside = name if rule.field == "tokens" else name[rule.cut :]
            gathered.setdefault(rule.field, {}).setdefault(inside, place)
            continue
        if rule.cut:  # a count of tokens, which is kept as told besides
            gathered["tokens"][name] = place
        if rule.field == "kind":
            kinds.append((place, rule))
            if rule.also:
                signs.setdefault(rule.also, place)
        elif rule.rank < best.get(rule.field, (_NEVER, 0))[0]:
            best[rule.field] = (rule.rank, place)
    found = signs | {field: place for field, (_, place) in best.items()}
    return Plan(
        found=tuple(found.items()),
        gathered=tuple((field, tuple(inside.items())) for field, inside in gathered.items()),
        kinds=tuple(kinds),
        label=min(labels),
    )
