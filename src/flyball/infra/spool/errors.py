"""What can go wrong with a spool.

FlyballError
└── UnavailableError
    ├── SpoolInUseError      another process holds the spool of this writer
    ├── SpoolAwayError       the spool's file cannot be made or read
    └── PositionMovedError   the file's position in the database is not where it was left
"""

from flyball.kit.errors import UnavailableError


class SpoolInUseError(UnavailableError):
    """Another process holds the spool of this writer."""

    code = "spool_in_use"


class SpoolAwayError(UnavailableError):
    """The spool's file cannot be made or read."""

    code = "spool_away"


class PositionMovedError(UnavailableError):
    """The file's position in the database is not where we left it; it has to be read again."""

    code = "position_moved"
