"""How fast calls ask for a quota, so that a lease is large enough for what they will ask and goes back when they do not.

Pure: monotonic times are given. Knows no lease.
"""

from dataclasses import dataclass

from .bank import RENEW_NS

_FORESIGHT = 8  # so many calls make a pace; at most so many times what they asked is foreseen
_STILL = 4  # stretches without anything asked: pauses that are shorter are of those who go on
_EVER_NS = -(10**30)  # before all times


@dataclass(slots=True, eq=False)
class Pace:
    """What calls asked of one quota: in this stretch of RENEW_NS, and in those before, each stretch without any halving it.

    So who pauses for some seconds, as batches and people do, finds a lease of the right size when he goes on.
    """

    since_ns: int
    now: int = 0
    calls: int = 0  # that asked for `now`
    before: int = 0
    is_scarce: bool = False  # the bank granted less than was asked last
    asked_ns: int = _EVER_NS  # when it was last asked for ahead
    _first_ns: int = 0  # when this stretch was first looked at, which its first call does
    _quiet: int = _STILL  # stretches before this one in which nothing was asked

    def __post_init__(self) -> None:
        self._first_ns = self.since_ns

    def soon(self, now_ns: int) -> int:
        """What calls will ask at this pace; of one that has just begun, foreseen from a part of a stretch."""
        if (passed := (now_ns - self.since_ns) // RENEW_NS) > 0:
            return self._faded(passed)
        elapsed_ns = max(now_ns - self._first_ns, RENEW_NS // _FORESIGHT)
        recent = self.now + self.before
        return recent if self.calls < _FORESIGHT else max(recent, self.now * RENEW_NS // elapsed_ns)

    def is_still(self, now_ns: int) -> bool:
        """Whether nothing was asked for so long that what is held goes back."""
        passed = (now_ns - self.since_ns) // RENEW_NS
        return (passed if self.now else passed + self._quiet) >= _STILL

    def roll(self, now_ns: int) -> None:
        """Begin the stretch that it is now."""
        passed = (now_ns - self.since_ns) // RENEW_NS
        if passed <= 0:
            return
        self.before, self._quiet = self._faded(passed), passed if self.now else passed + self._quiet
        self.now = self.calls = 0
        self.since_ns = self.since_ns + RENEW_NS if passed == 1 else now_ns
        self._first_ns = now_ns

    def _faded(self, stretches: int) -> int:
        """What is left of the pace when so many stretches are over, of which the last ones asked nothing."""
        return self.now >> (stretches - 1) if self.now else self.before >> stretches
