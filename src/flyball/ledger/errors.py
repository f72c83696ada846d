"""What can go wrong with budgets, limits and the ledger.

FlyballError
├── ConflictError
│   ├── QuotaFixedError         scope, unit and window of a quota never change
│   └── TooManyQuotasError      an organisation has as many as it may have
├── ForbiddenError
│   └── QuotaNotAllowedError    a key would be made with quotas that its maker may not set
├── InvalidInputError
│   └── QuotaInvalidError       an amount, a window or a scope that none can be
├── NotFoundError
│   ├── EntryNotFoundError      the ledger has no such entry
│   └── QuotaNotFoundError      no budget or limit here has this id
├── QuotaReachedError           a quota has not enough left, as its bank says
└── UnavailableError
    ├── QuotaAwayError          the bank does not answer in time, and the quota lets nothing through then
    └── LedgerFullError         what is spent cannot be kept any more
"""

from typing import TYPE_CHECKING

from flyball.kit.errors import (
    ConflictError,
    FlyballError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)

if TYPE_CHECKING:
    from .records import Quota, Standing


class QuotaInvalidError(InvalidInputError):
    """A budget or limit that cannot be one."""

    code = "quota_invalid"


class QuotaReachedError(FlyballError):
    """A quota has not enough left for what was `needed`, as its bank said at `at_ns`."""

    status = 429
    code = "quota_reached"

    def __init__(self, quota: "Quota", standing: "Standing", needed: int, at_ns: int) -> None:
        super().__init__(
            f"the quota {quota.id} has {standing.free} of {standing.limit} {quota.unit} left, and {needed} are needed",
            next_step=f"`flyball {'budgets' if quota.unit == 'nano_usd' else 'limits'} show {quota.id}`",
        )
        self.quota, self.standing, self.needed, self.at_ns = quota, standing, needed, at_ns


class QuotaAwayError(UnavailableError):
    """The bank does not answer in time, and the quota lets nothing through then."""

    code = "quota_away"

    def __init__(self, quota: "Quota") -> None:
        super().__init__(f"how much is left of the quota {quota.id} cannot be learned now", next_step="flyball doctor")
        self.quota = quota


class LedgerFullError(UnavailableError):
    """What is spent cannot be kept any more, so nothing may be spent."""

    code = "ledger_full"


class QuotaNotFoundError(NotFoundError):
    """No budget or limit of that id counts calls of this project."""

    code = "quota_not_found"


class EntryNotFoundError(NotFoundError):
    """The ledger of this project has no such entry."""

    code = "entry_not_found"


class QuotaFixedError(ConflictError):
    """The scope, unit and window of a budget or limit never change."""

    code = "quota_fixed"


class TooManyQuotasError(ConflictError):
    """An organisation has as many budgets and limits as it may have."""

    code = "too_many_quotas"


class QuotaNotAllowedError(ForbiddenError):
    """A key would be made with a budget or limit that its maker may not set."""

    code = "quota_not_allowed"
