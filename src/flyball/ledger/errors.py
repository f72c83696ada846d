"""What can go wrong with budgets, limits and the ledger.

FlyballError
└── InvalidInputError
    └── QuotaInvalidError       an amount, a window or a scope that none can be
"""

from flyball.kit.errors import InvalidInputError


class QuotaInvalidError(InvalidInputError):
    """A budget or limit that cannot be one."""

    code = "quota_invalid"
