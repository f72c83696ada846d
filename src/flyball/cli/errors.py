"""What stands in the way of a command before it has asked anybody anything.

FlyballError
├── DataDirectoryError    the data directory cannot be used as it is
└── MissingExtraError     a command needs libraries that the base install does not bring
"""

from flyball.kit.errors import FlyballError


class DataDirectoryError(FlyballError):
    """The data directory cannot be used as it is."""

    code = "data_directory"


class MissingExtraError(FlyballError):
    """A command needs libraries that the base install does not bring."""

    code = "extra_missing"
