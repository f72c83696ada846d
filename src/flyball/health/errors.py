"""What can go wrong with asking for the server's health.

FlyballError
└── ForbiddenError
    └── HealthRefusedError   the project is another organisation's than the operator's
"""

from flyball.kit.errors import ForbiddenError


class HealthRefusedError(ForbiddenError):
    """The server's health is shown to its operator alone."""

    code = "health_refused"
