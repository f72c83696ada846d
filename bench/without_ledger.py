"""A gateway worker that keeps no ledger and asks no budget or limit: what the one with both is measured against. For benches alone."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

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


if __name__ == "__main__":
    gateway.open_till = _no_till  # type: ignore[assignment]
    gateway.main(sys.argv[1:])
