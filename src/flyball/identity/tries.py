"""How often signing in may fail: counted in memory, per name and overall. Knows no database; a restart forgets."""

from collections import OrderedDict, deque
from weakref import WeakKeyDictionary

from flyball.infra.db.database import Database
from flyball.kit.clock import NANOSECONDS

from .errors import TooManySignInsError

_WINDOW_NS = 300 * NANOSECONDS
_MOST_PER_NAME = 10
_MOST_OVERALL = 100
_NAMES_KEPT = 1_000


class Tries:
    """Failures of the last five minutes."""

    def __init__(self) -> None:
        self._by_name: OrderedDict[str, deque[int]] = OrderedDict()
        self._all: deque[int] = deque()

    def begin(self, name: str, now_ns: int) -> None:
        """Count a try before it is judged; raises TooManySignInsError where there were too many failures.

        Counting first means that tries made at the same moment count too.
        """
        mine = self._by_name.setdefault(name, deque())
        self._by_name.move_to_end(name)
        while len(self._by_name) > _NAMES_KEPT:
            self._by_name.popitem(last=False)
        for failures, most in ((mine, _MOST_PER_NAME), (self._all, _MOST_OVERALL)):
            while failures and failures[0] <= now_ns - _WINDOW_NS:
                failures.popleft()
            if len(failures) >= most:
                seconds = -((now_ns - _WINDOW_NS - failures[0]) // NANOSECONDS)
                raise TooManySignInsError(
                    "signing in failed too often",
                    next_step=f"try again in {seconds} seconds, or use a link: `flyball keys sign-in-link`",
                )
        mine.append(now_ns)
        self._all.append(now_ns)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name, and this try."""
        self._by_name.pop(name, None)
        if self._all:
            self._all.pop()


_TRIES: WeakKeyDictionary[Database, Tries] = WeakKeyDictionary()


def tries_of(database: Database) -> Tries:
    """The failures that this process has seen for a database."""
    return _TRIES.setdefault(database, Tries())
