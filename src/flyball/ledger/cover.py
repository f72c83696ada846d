"""The budgets and limits that can stop calls of one kind: found once, kept, and brought with every such call.

Knows which they are, and remembers for the purse by which leases it let the last one in. Decides nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from .held import Held
from .records import MOST, Demand, Quota, Unit

_TOLD: tuple[Unit, ...] = ("requests", "tokens")  # the units of limits that answers speak of, in their order


@dataclass(slots=True, eq=False)
class Limit:
    """A quota that answers speak of, and its place among those of its cover. `known`: kept by whoever tells how it stands."""

    place: int
    quota: Quota
    known: Any = None


@dataclass(slots=True, eq=False)
class Cover:
    """Hard quotas, each once. Whoever calls brings beside it how much it may need of each: amounts, in the order of `quotas`.

    It belongs to one worker: what its purse knows of it is good for that purse alone, and only as long as `era` is the purse's.
    """

    quotas: tuple[Quota, ...]
    limits: tuple[Limit, ...]  # those that answers speak of, by unit
    least_tokens: int  # that one of them allows; `MOST` where none counts them
    least_nano_usd: int
    by_unit: Callable[[Mapping[Unit, int]], tuple[int, ...]]  # of amounts by unit, those of the quotas
    # Kept by the purse.
    leases: tuple[Held, ...] = ()  # by which calls are let in, one for each quota
    until_ns: int = 0  # so long without looking around
    bank_ns: int = 0  # the bank's time at monotonic 0, or a little before
    calls: int = 0  # that were let in by them and that no pace has counted yet
    era: object | None = None
    telling: Any = None  # how its limits stood lately; kept by whoever tells

    @staticmethod
    def of(quotas: Iterable[Quota]) -> "Cover":
        """The cover of calls that these count. The soft ones among them stop nobody, and are left out."""
        hard = tuple([quota for quota in quotas if quota.stop == "hard"])
        limits = [Limit(place, quota) for unit in _TOLD for place, quota in enumerate(hard) if quota.unit == unit]
        tokens, nano_usd = (
            min([quota.amount for quota in hard if quota.unit == unit], default=MOST) for unit in ("tokens", "nano_usd")
        )
        units = [quota.unit for quota in hard]
        by_unit = itemgetter(*units) if len(units) > 1 else lambda amounts: tuple([amounts[unit] for unit in units])
        return Cover(hard, tuple(limits), tokens, nano_usd, by_unit)

    def demands(self, amounts: Sequence[int]) -> tuple[Demand, ...]:
        """What a call needs, one by one."""
        return tuple([Demand(quota, amount) for quota, amount in zip(self.quotas, amounts, strict=True)])


NO_COVER = Cover.of(())  # of calls that fall under no quota
