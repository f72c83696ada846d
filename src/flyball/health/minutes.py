"""What was measured of minutes and is not yet written: joined minute by minute, so that a row is the worst and the sum of its samples.

Pure. Bounded: while PostgreSQL is away the newest day is kept.
"""

import msgspec

from .records import Minute

_MOST = 1440
_LEAST_OF = ("disk_free",)
_MOST_OF = ("worst_lag_ns", "waiting", "waiting_bytes", "memory")


class Pending:
    """Minutes on their way to the database."""

    def __init__(self) -> None:
        self._minutes: dict[int, Minute] = {}

    def add(self, minute: Minute) -> None:
        """Join what was measured with what the minute has."""
        known = self._minutes.get(minute.minute_ns)
        self._minutes[minute.minute_ns] = minute if known is None else join(known, minute)
        while len(self._minutes) > _MOST:
            del self._minutes[min(self._minutes)]

    def take(self) -> list[Minute]:
        """Everything, oldest first; it is the caller's from now on."""
        taken, self._minutes = self._minutes, {}
        return [taken[at] for at in sorted(taken)]

    def over(self, written: list[Minute]) -> list[Minute]:
        """The minutes that were written, with what is not written yet."""
        by_start = {minute.minute_ns: minute for minute in written}
        for at, minute in self._minutes.items():
            by_start[at] = join(by_start[at], minute) if at in by_start else minute
        return [by_start[at] for at in sorted(by_start)]


def join(one: Minute, other: Minute) -> Minute:
    """Two measurements of the same minute as one."""
    joined = {}
    for name in Minute.__struct_fields__:
        ours, theirs = getattr(one, name), getattr(other, name)
        if name == "minute_ns":
            joined[name] = ours
        elif name in _LEAST_OF or name in _MOST_OF:
            known = [each for each in (ours, theirs) if each is not None]
            joined[name] = (min if name in _LEAST_OF else max)(known) if known else None
        else:
            joined[name] = ours + theirs
    return msgspec.convert(joined, Minute)
