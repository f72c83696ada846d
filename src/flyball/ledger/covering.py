"""Which budgets and limits count the calls of a project: by their scope, so that a call finds its own without looking at all of them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from .records import Quota

ByScope: TypeAlias = Mapping[tuple[str, str], tuple[Quota, ...]]  # kind and name of a scope


def by_scope(quotas: Iterable[Quota], project: str, organisation: str) -> ByScope:
    """Those that calls of a project fall under, its organisation's too."""
    found: dict[tuple[str, str], list[Quota]] = defaultdict(list)
    for quota in quotas:
        if quota.organisation == organisation and quota.project in (None, project):
            found[quota.scope_kind, quota.scope].append(quota)
    return MappingProxyType({place: tuple(some) for place, some in found.items()})


def covering(quotas: ByScope, named: Iterable[tuple[str, str | None]]) -> Iterator[Quota]:
    """Those that count a call, each once; `named` is what it is of, beside its project: kinds and names, without one where it has none."""
    if not quotas:
        return
    for place in (("organisation", ""), ("project", ""), *dict.fromkeys(named)):
        if place[1] is not None:
            yield from quotas.get((place[0], place[1]), ())
