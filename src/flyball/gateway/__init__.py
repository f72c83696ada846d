"""The hot path: one call of the model API, from its first byte to its record.

    identify -> read -> admit -> choose -> call -> answer -> record

One file each, one story in `handle.py`. Works from an immutable snapshot: no SQL, disk or lock wait on the path.
"""

from .errors import GatewayError

__all__ = ["GatewayError"]
