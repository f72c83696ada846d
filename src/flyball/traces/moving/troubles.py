"""Whether an error lies outside: PostgreSQL, the lake, the disk or the memory are not there, and no record is to blame for it."""

import psycopg

from flyball.infra.db.database import Connection
from flyball.kit.errors import UnavailableError

_OF_VALUES = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)


def is_outside(error: Exception, connection: Connection) -> bool:
    """True where the same records may be moved a while later; False where they are likely to fail again."""
    if connection.broken or isinstance(error, UnavailableError | OSError | MemoryError):
        return True
    return isinstance(error, psycopg.Error) and not isinstance(error, _OF_VALUES)
