"""A gateway worker that expects nothing of a call, asks no budget or limit, bills nothing and keeps no ledger.

What the one that does all of it is measured against. For benches alone.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flyball.gateway import handle, record
from flyball.gateway.expecting import Expectations
from flyball.ledger.records import Demand, Entry, Reservation
from flyball.web import gateway


class FreeTill:
    """Lets everybody in, and forgets what it cost."""

    async def admit(self, _: Sequence[Demand]) -> Reservation:
        """A promise of nothing."""
        return Reservation(0, None, ())

    def settle(self, _: Reservation, __: Sequence[Entry]) -> None:
        """Nothing."""


@asynccontextmanager
async def _no_till(*_: object) -> AsyncIterator[FreeTill]:
    yield FreeTill()


async def _let_in(till: FreeTill, _: object, notes: record.Entry, *__: object) -> None:
    notes.reservation = await till.admit(())


def _nothing(*_: object) -> tuple[Entry, ...]:
    return ()


if __name__ == "__main__":
    gateway.open_till_over = _no_till  # type: ignore[assignment]
    handle.reserve = _let_in
    record.entries_of = _nothing  # type: ignore[attr-defined]
    Expectations.learn = _nothing  # type: ignore[method-assign, assignment]
    gateway.main(sys.argv[1:])
