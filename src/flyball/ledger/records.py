"""What a quota, a lease and a ledger entry are, and which entries a quota counts.

Knows shapes and their small rules. Knows no time (see `windows`), no store (see `bank`), and nothing of a call on its way.
Amounts are integers of the quota's unit: nano-dollars, requests, tokens, or parallel calls.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias, get_args

import msgspec

from .errors import QuotaInvalidError

Unit: TypeAlias = Literal["nano_usd", "requests", "tokens", "parallel"]
ScopeKind: TypeAlias = Literal["organisation", "project", "member", "key", "function", "model", "tag"]
State: TypeAlias = Literal["complete", "failed", "cancelled", "retried", "hedged", "cached", "batched", "lost"]

MOST = 10**18  # of any unit: a thousand million USD; sums of some of these still fit PostgreSQL's bigint
UNLEASED = ""  # the lease of a charge that no lease covers
NOBODY = -1  # the need of a take that no call waits for yet
_WHOLE = ("organisation", "project")  # kinds of scope that need no name


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """A declared cap. Amount and behaviour may change; unit, scope and window never do: those make another quota."""

    id: str
    organisation: str
    project: str | None = None  # None: every project of the organisation
    unit: Unit
    scope_kind: ScopeKind
    scope: str = ""  # id of a member or key; name of a function, model or tag; empty for an organisation or project
    amount: int
    window: str  # see `windows.check_window`
    stop: Literal["hard", "soft"] = "hard"  # soft: counted and told of, never refused, never leased
    when_away: Literal["open", "closed"] = "open"  # what a call does while the bank does not answer
    open_bound: int = (
        0  # the most that one worker spends without a lease while the bank is away; 0: what one lease would be
    )
    alerts: tuple[int, ...] = ()  # percent
    created_ns: int = 0
    version: int = 1


class Demand(msgspec.Struct, frozen=True, gc=False):
    """What one call may need of one quota, at most; reserved before it starts."""

    quota: Quota
    amount: int


class Take(NamedTuple):
    """What a worker asks a bank for: at least `least` or nothing, at most `most`; `need` is what all its waiting calls lack."""

    quota: str
    least: int
    most: int
    need: int = 0  # at most `most`; below `least`: as `least`; or `NOBODY`


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of a counter that one worker holds. Times are the bank's: a worker counts `life_ns` from when it asked."""

    id: str
    quota: str
    window_ns: int  # of which counter
    worker: str
    amount: int  # what is left of it, as the bank knows
    granted_ns: int  # the bank's time when it granted, or renewed
    expires_ns: int  # never after the end of the counter's window
    wanted: bool = False  # somebody was refused: give back at once whatever is idle

    @property
    def life_ns(self) -> int:
        """How long it lives from when the bank said so."""
        return self.expires_ns - self.granted_ns


class Standing(NamedTuple):
    """How a counter stands; told in place of a lease that was refused."""

    quota: str
    limit: int
    settled: int
    leased: int  # what live leases hold
    window_ns: int
    frees_ns: (
        int | None
    )  # the bank's time at which what was asked may fit: a window or bucket ends, a lease; None: never
    recalling: int = 0  # of `leased`, what others may hold idle and have not answered for: not 0, ask again

    @property
    def free(self) -> int:
        """What nobody spent or holds; 0 where a limit was lowered below that."""
        return max(0, self.limit - self.settled - self.leased)


class Charge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an attempt used of one quota, and the lease it used it from (`UNLEASED`: none)."""

    quota: str
    lease: str
    amount: int


class Leased(Protocol):
    """A lease that a reservation is of, as its purse keeps it (`held`, which knows this module). `UNLEASED`: none, while the bank was away."""

    id: str
    quota: str
    unit: Unit


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """What one call was admitted with, on all levels together: so much of each lease. Those of one quota follow each other."""

    number: int  # of its purse
    at_ns: int | None  # the bank's time, inside the windows of all its leases; None: it has no lease, any clock does
    leases: Sequence[Leased] = ()
    amounts: Sequence[int] = ()


NOTHING = Reservation(0, None)  # what a call is promised that falls under no quota: there is nothing to keep of it


class Short(NamedTuple):
    """What a purse lacks for a call: to be taken from the bank, or (`takes` empty) `refused` because the bank is away."""

    takes: tuple[Take, ...]
    refused: str = ""  # the quota that stays closed while the bank is away


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One settlement of one attempt: append-only, integers, never changed.

    On its way, what is as usual is left out: so nothing that is a default here may ever become another.
    """

    id: str  # the attempt's span id
    project: str
    organisation: str
    at_ns: int  # when it was admitted, by the bank's time; decides its window
    trace_id: str = ""
    key_id: str | None = None
    member: str | None = None
    function: str | None = None
    variant: str | None = None
    release: str | None = None
    model: str | None = None
    provider: str | None = None
    upstream_model: str | None = None
    tags: tuple[str, ...] = ()
    state: State = "complete"
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    audio_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    web_searches: int = 0
    estimated: bool = False
    nano_usd: int | None = None  # None: the price is not known
    price_version: str | None = None
    requests: int = 1  # 1 for the first attempt of a call, 0 for others
    charges: tuple[Charge, ...] = ()

    @property
    def tokens(self) -> int:
        """Every token, whatever its price."""
        return _tokens(self)


class Drift(NamedTuple):
    """A counter that is not what the ledger's entries add up to."""

    quota: str
    window_ns: int
    counted: int
    derived: int


def _tokens(entry: Entry) -> int:  # which every settlement asks for: a property takes longer
    return (
        entry.input_tokens
        + entry.cache_read_tokens
        + entry.cache_write_tokens
        + entry.cache_write_1h_tokens
        + entry.audio_input_tokens
        + entry.output_tokens
        + entry.reasoning_tokens
        + entry.audio_output_tokens
    )


def measured(unit: Unit, entry: Entry) -> int:
    """How much of a unit an entry used. Parallel calls leave nothing in the ledger; an unknown price counts nothing."""
    if unit == "nano_usd":
        return entry.nano_usd or 0
    if unit == "requests":
        return entry.requests
    return entry.tokens if unit == "tokens" else 0


def all_measured(entry: Entry) -> dict[Unit, int]:
    """How much an entry used of every unit that leaves something in the ledger."""
    return {"nano_usd": entry.nano_usd or 0, "requests": entry.requests, "tokens": _tokens(entry)}


def covers(quota: Quota, entry: Entry) -> bool:
    """Whether a quota counts an entry: its organisation, its project if it names one, and its scope."""
    if quota.organisation != entry.organisation or quota.project not in (None, entry.project):
        return False
    if quota.scope_kind in _WHOLE:
        return True
    if quota.scope_kind == "tag":
        return quota.scope in entry.tags
    dimension = {"key": entry.key_id, "member": entry.member, "function": entry.function, "model": entry.model}
    return dimension[quota.scope_kind] == quota.scope


def check_amount(unit: Unit, amount: int) -> int:
    """An amount that a quota may have: 0 (nothing may be used) to `MOST`. Raises QuotaInvalidError for any other."""
    if unit not in get_args(Unit):
        raise QuotaInvalidError(f"{unit!r:.80} is no unit", next_step=f"say one of {', '.join(get_args(Unit))}")
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= MOST:
        raise QuotaInvalidError(
            f"{amount!r:.80} is no amount of {unit}",
            next_step=f"say a whole number from 0 (nothing may be used) to {MOST}",
        )
    return amount


def check_scope(kind: ScopeKind, scope: str, project: str | None) -> None:
    """Raises QuotaInvalidError where a scope lacks its name, has one too many, or is a project without one."""
    if kind not in get_args(ScopeKind):
        raise QuotaInvalidError(f"{kind!r:.80} is no scope", next_step=f"say one of {', '.join(get_args(ScopeKind))}")
    if kind in _WHOLE and scope:
        raise QuotaInvalidError(f"a quota of a whole {kind} names no {scope!r:.80}", next_step="leave the name out")
    if kind not in _WHOLE and not scope:
        raise QuotaInvalidError(f"a quota of a {kind} has to say which", next_step=f"name the {kind}")
    if kind == "project" and project is None:
        raise QuotaInvalidError("a quota of a project has to say which", next_step="name the project")
    if kind == "organisation" and project is not None:
        raise QuotaInvalidError(
            f"a quota of the organisation is not of project {project!r:.80} alone", next_step="say the scope `project`"
        )
