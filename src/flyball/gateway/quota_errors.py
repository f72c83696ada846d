"""Why a call does not come in for want of money, rate or a free place: which counter, of which window, and when it frees.

GatewayError
├── QuotaExceededError  429  a budget or a limit has not enough left for this call
├── QuotaUnknownError   503  PostgreSQL does not say how much is left, and the quota stops calls then
└── LedgerFullError     503  what calls cost cannot be kept any more, so none may begin
"""

from collections.abc import Sequence
from functools import lru_cache

from flyball.kit.clock import NANOSECONDS, to_datetime
from flyball.ledger.errors import QuotaReachedError
from flyball.ledger.records import Quota
from flyball.ledger.told import Telling, Told
from flyball.ledger.wording import amount_text, window_words

from .errors import GatewayError
from .exchange import Header

_LONGEST_WAIT_SECONDS = 366 * 86_400


class QuotaExceededError(GatewayError):
    """A budget or a limit has not enough left for this call."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, reached: QuotaReachedError, dialect: str) -> None:
        quota, standing, now_ns = reached.quota, reached.standing, reached.at_ns
        money = quota.unit == "nano_usd"
        used, promised, limit = (
            amount_text(quota.unit, n) for n in (standing.settled, standing.leased, standing.limit)
        )
        if money:
            self.code = "insufficient_quota"
        self.retry_after = _seconds(standing.frees_ns, now_ns) if standing.frees_ns else None
        super().__init__(
            f"the {'budget' if money else 'limit'} of {_whom(quota)} has {amount_text(quota.unit, standing.free)} left and this call needs up to"
            f" {amount_text(quota.unit, reached.needed)}: {limit} {_window(quota)}, {used} settled in the ledger, {promised} promised to calls in"
            f" flight ({quota.id}); {_frees(standing.frees_ns)}",
            next_step=f"`flyball {'budgets' if money else 'limits'} show {quota.id}`",
        )
        self.headers = _headers(reached, dialect)


class QuotaUnknownError(GatewayError):
    """PostgreSQL does not say how much is left, and the quota stops calls then."""

    status = 503
    code = "quota_unknown"
    retry_after = 1

    def __init__(self, quota: Quota) -> None:
        super().__init__(
            f"how much is left of the {'budget' if quota.unit == 'nano_usd' else 'limit'} of {_whom(quota)} ({quota.id}) cannot be"
            " learned now, and it lets nothing through then",
            next_step="try again; `flyball doctor` says whether PostgreSQL answers",
        )


class LedgerFullError(GatewayError):
    """What calls cost cannot be kept any more, so none may begin."""

    status = 503
    code = "ledger_full"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__(
            "what calls cost waits for PostgreSQL, and there is no room for more of it",
            next_step="`flyball doctor`; FLYBALL_LEDGER_SPOOL_BYTES sets the room",
        )


def _headers(reached: QuotaReachedError, dialect: str) -> tuple[Header, ...]:
    """How it stands, in the headers that the caller's clients read."""
    quota, standing = reached.quota, reached.standing
    if quota.unit not in ("requests", "tokens"):
        return ()
    told = Told(quota.unit, standing.limit, standing.free, standing.frees_ns)
    return limit_headers((told,), dialect, reached.at_ns)


def told_headers(telling: Telling, dialect: str) -> tuple[Header, ...]:
    """How limits stand, worded once for all who are told the same."""
    headers: tuple[Header, ...] | None = telling.worded.get(dialect)
    if headers is None:
        headers = telling.worded[dialect] = limit_headers(telling.limits, dialect, telling.now_ns)
    return headers


def limit_headers(limits: Sequence[Told], dialect: str, now_ns: int) -> tuple[Header, ...]:
    """How limits stand, in the headers that the caller's clients read: Anthropic's own, everybody else's as OpenAI's."""
    anthropic = dialect == "anthropic_messages"
    headers: list[Header] = []
    for told in limits:
        limited, remains, resets = _named(dialect, told.unit, told.limit)
        headers += (limited, (remains, b"%d" % told.remaining))
        if (at_ns := told.resets_ns) is not None:
            headers.append((resets, _stamp(at_ns) if anthropic else b"%ds" % _seconds(at_ns, now_ns)))
    return tuple(headers)


@lru_cache(maxsize=1024)  # many calls fall under the same limit
def _named(dialect: str, unit: str, limit: int) -> tuple[Header, bytes, bytes]:
    """How large a limit is, and the names of how much is left of it and of when it is whole again."""
    anthropic = dialect == "anthropic_messages"
    limited, remains, resets = (
        (f"anthropic-ratelimit-{unit}-{name}" if anthropic else f"x-ratelimit-{name}-{unit}").encode()
        for name in ("limit", "remaining", "reset")
    )
    return (limited, b"%d" % limit), remains, resets


def _whom(quota: Quota) -> str:
    return f"the {quota.scope_kind} {quota.scope!r}" if quota.scope else f"the {quota.scope_kind}"


def _window(quota: Quota) -> str:
    return window_words(quota.unit, quota.window) or "at most"


def _frees(frees_ns: int | None) -> str:
    return f"it frees on {to_datetime(frees_ns):%Y-%m-%d at %H:%M:%S} UTC" if frees_ns else "it frees when it is raised"


def _seconds(until_ns: int, now_ns: int) -> int:
    return max(1, min(-(-(until_ns - now_ns) // NANOSECONDS), _LONGEST_WAIT_SECONDS))


def _stamp(at_ns: int) -> bytes:
    return _written(at_ns // NANOSECONDS)


@lru_cache(maxsize=256)  # many calls are told of the same end of a window
def _written(second: int) -> bytes:
    return f"{to_datetime(second * NANOSECONDS):%Y-%m-%dT%H:%M:%SZ}".encode()
