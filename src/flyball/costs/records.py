"""What costs are: sums of the ledger in a window, by one dimension, and what follows from them.

Money is whole nano-dollars. What is not known is None, never 0: an entry without a known price counts nothing to `nano_usd` and
one to `unpriced`. A name that is empty stands for entries that name none.
"""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

By: TypeAlias = Literal[
    "project", "key", "member", "function", "variant", "release", "model", "provider", "tag", "state"
]
Step: TypeAlias = Literal["hour", "day"]
Method: TypeAlias = Literal["over", "weekdays", "mean", "none"]


class Window(NamedTuple):
    """Whole hours, from `since_ns` to before `until_ns`."""

    since_ns: int
    until_ns: int

    @property
    def before(self) -> "Window":
        """The window of equal length that ends where this one begins; it begins in 1970 at the earliest."""
        return Window(max(0, 2 * self.since_ns - self.until_ns), self.since_ns)


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What costs are narrowed to, by the names that people use; empty: everything. `project` needs the whole organisation."""

    project: str = ""
    key: str = ""
    member: str = ""
    function: str = ""
    variant: str = ""
    release: str = ""
    model: str = ""
    provider: str = ""
    tag: str = ""
    state: str = ""


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What some entries add up to. `requests` are calls; `entries` attempts; `estimated` and `unpriced` count entries."""

    nano_usd: int = 0
    requests: int = 0
    tokens: int = 0
    entries: int = 0
    unpriced: int = 0
    estimated: int = 0


class SpendRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one name spent. `id` is what the ledger keeps (a key's line, a member's id; else the name); `share` of all money.

    `of` is the function where a variant is meant, and the project where a key is and the whole organisation was asked for.
    """

    name: str
    id: str
    of: str = ""
    sums: Sums
    share: float | None  # None: nothing was spent


class Point(NamedTuple):
    """What was spent in the hour or day that begins at `at_ns`."""

    at_ns: int
    nano_usd: int
    requests: int
    tokens: int


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent in a window, and by whom.

    `rows` are the dearest names; `names` says how many there are, `others` what those not shown add up to. `overlapping`: an
    entry may stand in several rows (of tags), so that they add up to more than the total. `series` has every hour or day.
    """

    window: Window
    by: By
    total: Sums
    rows: tuple[SpendRow, ...]
    names: int
    others: Sums
    overlapping: bool
    step: Step
    series: tuple[Point, ...]
    notes: tuple[str, ...] = ()


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A change of cost and what it is made of: `delta` is exactly price + volume + mix + new + gone."""

    before: int
    after: int
    delta: int
    price: int = 0
    volume: int = 0
    mix: int = 0
    new: int = 0
    gone: int = 0


class Mover(msgspec.Struct, frozen=True, kw_only=True):
    """Whose cost changed, and why. `is_new`: it had no entry in the window before; `is_gone`: it has none in this one."""

    name: str
    id: str
    of: str = ""
    moved: Moved
    is_new: bool = False
    is_gone: bool = False


class Movers(msgspec.Struct, frozen=True, kw_only=True):
    """Who made costs change between two windows, the largest change first; `others` are those not shown, `total` is all."""

    window: Window
    against: Window
    by: By
    total: Moved
    rows: tuple[Mover, ...]
    names: int
    others: Moved
    notes: tuple[str, ...] = ()


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a month will have cost. `expected`, `low` and `high` are of the whole month, in nano-dollars; None: nobody can say.

    The truth lies from `low` to `high` in 80 of 100 months. `days` is how many whole days it was learnt from.
    """

    month: str  # 2026-11
    window: Window
    spent: int
    unpriced: int
    expected: int | None
    low: int | None
    high: int | None
    confidence: float
    method: Method
    days: int
    told: str  # the method in a sentence


class UnitRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a call of a function cost, on average; of one variant, or (empty) of all.

    `judged` calls have a score; None: `per_call`, `per_1k_tokens` where there were none, `share_good` and `per_good` where
    nobody judged or nothing was good. `per_good` is the cost of a call over the share that was good among those judged.
    """

    function: str
    variant: str = ""
    sums: Sums
    per_call: int | None
    per_1k_tokens: int | None
    judged: int
    good: int
    share_good: float | None
    share_low: float | None  # of the 95 % interval
    share_high: float | None
    per_good: int | None
    per_good_low: int | None
    per_good_high: int | None  # None beside a `per_good`: it may be any amount, since perhaps nothing is good


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """What a call costs, per function (each followed by its variants). `score` is what calls were judged by."""

    window: Window
    score: str
    rows: tuple[UnitRow, ...]
    told: str  # what counts as good, and who was counted
    notes: tuple[str, ...] = ()


class CacheSaving(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's prompt cache saved: tokens read from it at the price of reading instead of that of input.

    `saved` is less where writing into the cache cost more than input: `paid` says how much. None: no price is known.
    """

    model: str
    read_tokens: int
    write_tokens: int
    saved: int | None  # by reading
    paid: int | None  # for writing, above what input would have cost
    unpriced_tokens: int  # read or written at prices that are not known: in neither


class RouteSaving(msgspec.Struct, frozen=True, kw_only=True):
    """What a function's calls cost less than if its dearest variant had answered all of them.

    `would_have` is each call at the mean cost of a call of `baseline` in this window; `saved` is that less what was paid.
    """

    function: str
    baseline: str
    calls: int
    calls_of_baseline: int
    paid: int
    would_have: int
    saved: int


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """What was not spent. `answers_cached` are entries that flyball's own cache answered; it has none yet, so None."""

    window: Window
    cache: tuple[CacheSaving, ...]
    cache_saved: int | None
    cache_paid: int | None
    answers_cached: int | None
    routing: tuple[RouteSaving, ...]
    routing_saved: int | None  # None: no function was answered by several variants
    told: tuple[str, ...]  # what is compared, in sentences


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is charged. By tag, entries with several tags have a row of their own, so that each is charged once."""

    name: str
    id: str
    of: str = ""
    sums: Sums


class Chargeback(msgspec.Struct, frozen=True, kw_only=True):
    """Who is charged what; the rows add up to the total, which is the ledger's, to the nano-dollar."""

    window: Window
    by: By
    total: Sums
    rows: tuple[Charge, ...]
