"""How often proving may fail: counted in memory by a clock that never goes back. Knows no database; a restart forgets.

A try is counted before it is judged, so that tries made at the same moment count too.
"""

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple
from weakref import WeakKeyDictionary

from flyball.infra.db.database import Database
from flyball.kit.clock import NANOSECONDS

from .errors import TooManySignInsError

_MOST_KEPT = 50_000


class Limit(NamedTuple):
    """At most so many in so many seconds."""

    most: int
    seconds: int


class Count(NamedTuple):
    """What is counted under one key."""

    key: str
    limits: tuple[Limit, ...]


OF_NOBODY = Count("nobody", (Limit(100, 300),))  # events about what is nobody's


def of_name(name_key: str) -> Count:
    """Passwords for one name."""
    return Count(f"name {name_key}", (Limit(10, 300),))


def of_address(address: str) -> Count:
    """Whatever comes from one address; of IPv6 from one network of a customer (/64). Unknown addresses are not counted."""
    return Count(f"address {_network(address)}", (Limit(30, 300),) if address else ())


def of_codes(member_id: str) -> Count:
    """Codes of a second factor: three of a million fit at any time, so there are few tries a day."""
    return Count(f"codes {member_id}", (Limit(5, 300), Limit(20, 86_400)))


def _network(address: str) -> str:
    try:
        number = ip_address(address)
    except ValueError:
        return address[:64]
    return str(ip_network((number, 64), strict=False)) if isinstance(number, IPv6Address) else str(number)


class Tries:
    """What failed lately, by key."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, deque[int]] = OrderedDict()

    def begin(self, now_ns: int, *counts: Count) -> None:
        """Count a try. Raises TooManySignInsError where there were too many, and counts nothing then."""
        for count in counts:
            self._refuse_beyond(count, now_ns)
        for count in counts:
            if count.limits:
                self._failed.setdefault(count.key, deque()).append(now_ns)
                self._failed.move_to_end(count.key)
        while len(self._failed) > _MOST_KEPT:
            self._failed.popitem(last=False)

    def counts(self, now_ns: int, count: Count) -> bool:
        """Count one more, where there were not too many."""
        try:
            self.begin(now_ns, count)
        except TooManySignInsError:
            return False
        return True

    def _refuse_beyond(self, count: Count, now_ns: int) -> None:
        failed = self._failed.get(count.key, deque())
        longest = max((limit.seconds for limit in count.limits), default=0)
        while failed and failed[0] <= now_ns - longest * NANOSECONDS:
            failed.popleft()
        for most, seconds in count.limits:
            since_ns = now_ns - seconds * NANOSECONDS
            recent = [at for at in failed if at > since_ns]
            if len(recent) >= most:
                wait = -((since_ns - recent[-most]) // NANOSECONDS)
                raise TooManySignInsError(
                    "signing in failed too often",
                    next_step=f"try again in {wait} seconds, or use a link: `flyball members sign-in-link`",
                )

    def succeeded(self, forgiven: Count | None, *counts: Count) -> None:
        """Take this try back everywhere; what failed before is forgiven under one key alone."""
        if forgiven is not None:
            self._failed.pop(forgiven.key, None)
        for count in counts:
            if failed := self._failed.get(count.key):
                failed.pop()


_TRIES: WeakKeyDictionary[Database, Tries] = WeakKeyDictionary()


def tries_of(database: Database) -> Tries:
    """The failures that this process has seen for a database."""
    return _TRIES.setdefault(database, Tries())
