"""What somebody wishes a budget or limit to be, and what people are shown: a quota as it stands, an entry, with their names."""

from typing import Literal, TypeAlias

import msgspec

from .records import Quota, ScopeKind, State, Unit

Family: TypeAlias = Literal["budget", "limit"]
Stop: TypeAlias = Literal["hard", "soft"]
WhenAway: TypeAlias = Literal["open", "closed"]

UNITS: dict[Family, tuple[Unit, ...]] = {"budget": ("nano_usd",), "limit": ("requests", "tokens", "parallel")}


def units_of(family: Family | None) -> tuple[Unit, ...]:
    """The units of budgets, of limits, or of both."""
    return UNITS[family] if family else (*UNITS["budget"], *UNITS["limit"])


class QuotaWish(msgspec.Struct, frozen=True, kw_only=True):
    """A quota to declare: of what (`key backend`, `project`), how much, in which window, and what happens at its end.

    `organisation_wide` counts the calls of all projects of the organisation, which only its owners decide.
    """

    scope: str = "project"
    unit: Unit
    amount: int
    window: str
    stop: Stop = "hard"
    when_away: WhenAway = "open"
    open_bound: int = 0
    alerts: tuple[int, ...] = ()
    organisation_wide: bool = False


class QuotaChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes different of a quota; None stays. Scope, unit and window are asked for only to be refused where they differ."""

    amount: int | None = None
    stop: Stop | None = None
    when_away: WhenAway | None = None
    open_bound: int | None = None
    alerts: tuple[int, ...] | None = None
    scope: str | None = None
    unit: Unit | None = None
    window: str | None = None


class KnownQuota(msgspec.Struct, frozen=True, kw_only=True):
    """A quota and the name of what it is of; empty where a key or member has none any more."""

    quota: Quota
    name: str


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A budget or limit, and how it stands. Amounts are nano-dollars, requests, tokens or parallel calls, as `unit` says.

    `settled` is what the ledger counts in the window that runs now, `leased` what workers hold of it, `free` what is left; where
    nothing is, something may be free again at `frees_ns` (None: never). `notes` say what whoever declares it should know.
    """

    id: str
    unit: Unit
    scope: str
    scope_kind: ScopeKind
    scope_id: str
    organisation_wide: bool
    amount: int
    window: str
    stop: Stop
    when_away: WhenAway
    open_bound: int
    alerts: tuple[int, ...]
    created_ns: int
    version: int
    settled: int
    leased: int
    free: int
    window_ns: int
    frees_ns: int | None
    notes: tuple[str, ...] = ()


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that lives, and the worker that holds it. `promised`: what comes free of it goes back at once."""

    id: str
    worker: str
    amount: int
    window_ns: int
    granted_ns: int
    expires_ns: int
    promised: bool


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a threshold was told, and whether it arrived; `at_ns` is when that ended, None while it is tried."""

    address: str
    state: Literal["waiting", "delivered", "given_up"]
    tries: int
    at_ns: int | None
    error: str


class PassedThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that was passed: so many percent of `amount`, in the window that began at `window_ns`. `told` is empty: nobody."""

    threshold: int
    amount: int
    used: int
    window_ns: int
    at_ns: int
    told: tuple[Told, ...]


class DeclaredWithLeases(msgspec.Struct, frozen=True, kw_only=True):
    """A quota as it stands, who holds what of it, and which of its thresholds were passed lately, the newest first."""

    quota: Declared
    leases: tuple[Holder, ...]
    passed: tuple[PassedThreshold, ...] = ()


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to list: by ids of keys and members, by names of everything else, from one time until before another."""

    key_id: str = ""
    member: str = ""
    function: str = ""
    model: str = ""
    tag: str = ""
    state: str = ""
    trace_id: str = ""
    since_ns: int = 0
    until_ns: int = 0


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One settlement of one attempt. `nano_usd` is None where the price is not known; `estimated` where no upstream said what it used.

    `at_ns` is when it was admitted, which decides its window; `requests` is 1 for the first attempt of a call, 0 for others.
    """

    id: str
    at_ns: int
    settled_ns: int
    trace_id: str
    key_id: str | None
    key_name: str | None
    member_id: str | None
    member_name: str | None
    function: str | None
    variant: str | None
    release: str | None
    model: str | None
    provider: str | None
    upstream_model: str | None
    tags: tuple[str, ...]
    state: State
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    audio_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    audio_output_tokens: int
    web_searches: int
    tokens: int
    estimated: bool
    nano_usd: int | None
    price_version: str | None
    requests: int


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry's call used of what its worker held of a quota. `name` is empty and `unit` None where the quota is no more here."""

    quota_id: str
    name: str
    unit: Unit | None
    amount: int


class EntryWithCharges(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, and the budgets and limits that it used something of."""

    entry: LedgerRow
    charges: tuple[Charged, ...]
