"""A gateway worker that keeps a ledger, and for calls with the key named `without` expects nothing, asks no quota and bills nothing.

So that one process does both, in turns: what differs between two processes that do the same is more than what is measured. For
benches alone.
"""

import sys
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any

from flyball.gateway import handle, record
from flyball.gateway.bill import Called
from flyball.ledger.lender import Lender
from flyball.ledger.records import Entry, Reservation

WITHOUT = "without"  # the name of a key
_NOTHING = Reservation(0, None)
_reserve, _entries_of, _settle = handle.reserve, record.entries_of, Lender.settle


class _Done:
    """Has been waited for already: so neither kind of call waits for what the other does not."""

    def __await__(self) -> Iterator[None]:
        return iter(())


_DONE = _Done()


def _reserve_or_not(till: Any, project: Any, notes: record.Entry, asked: Any, expectations: Any) -> Awaitable[None]:
    if notes.caller.name == WITHOUT:
        notes.reservation = _NOTHING
        return _DONE
    return _reserve(till, project, notes, asked, expectations)


def _entries_or_none(called: Called, route: Any, tried: Any, spans: Any) -> tuple[Entry, ...]:
    return () if called.caller.name == WITHOUT else _entries_of(called, route, tried, spans)


def _settle_or_not(till: Lender, reservation: Reservation, entries: Sequence[Entry]) -> None:
    if reservation is not _NOTHING:
        _settle(till, reservation, entries)


if __name__ == "__main__":
    from flyball.web import gateway

    handle.reserve = _reserve_or_not  # type: ignore[assignment]
    record.entries_of = _entries_or_none  # type: ignore[attr-defined]
    Lender.settle = _settle_or_not  # type: ignore[method-assign]
    gateway.main(sys.argv[1:])
