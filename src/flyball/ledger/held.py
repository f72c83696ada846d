"""What a worker holds of one quota: a lease as its holder sees it, or what is spent without one while the bank is away.

Knows numbers; the rules by which they move are the purse's.
"""

from dataclasses import dataclass

from .pace import Pace
from .records import Unit


@dataclass(slots=True, eq=False)
class Held:
    """One lease, as its holder sees it: `free` + `reserved` + `drawn` + `given` = granted.

    A call moves `asked` alone when it comes, so that what is free and how fast calls come are one number to write.

    Or what is spent of a quota without one, while the bank is away: `UNLEASED`, of which less than nothing is free.
    """

    id: str
    quota: str
    granted: int
    room: int  # what may be asked of it in all
    pace: Pace  # of its quota
    asked: int = 0  # by all calls that it let in
    paced: int = 0  # of `asked`, what its pace knows of
    unit: Unit = "requests"  # of its quota, from when the first call asks for it: before, nothing is let in by it
    ends_ns: int = 0  # monotonic
    # Calls are let in by it without looking around: to its end, that of its pace's stretch, or when it may run low.
    until_ns: int = 0
    bank_ns: int = 0  # the bank's time at monotonic 0, or a little before
    drawn: int = 0  # paid from it, which settles some time later
    given: int = 0
    told: int = 0  # of `given`, what the bank confirmed
    promised: bool = False
    limit: int = -1  # what its quota allowed when it was last looked at; -1: never
    stale: bool = False  # of a limit that was lowered since: nothing is let in by it any more, and it goes back
    emptied_ns: int | None = None

    @property
    def free(self) -> int:
        """What the next call may ask of it."""
        return self.room - self.asked

    @property
    def reserved(self) -> int:
        """What calls that go on were promised of it."""
        return self.granted - self.free - self.drawn - self.given
