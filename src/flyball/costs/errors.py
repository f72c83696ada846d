"""What can go wrong when costs are asked for.

FlyballError
└── InvalidInputError
    └── CostsInvalidError       a window, month or dimension that is none
"""

from flyball.kit.errors import InvalidInputError


class CostsInvalidError(InvalidInputError):
    """A window, month, dimension or format that is none."""

    code = "costs_invalid"
