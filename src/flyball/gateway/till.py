"""The port behind which budgets and limits are kept in this process, and what calls have cost. Knows no way of keeping."""

from collections.abc import Sequence
from typing import Protocol

from flyball.ledger.cover import Cover
from flyball.ledger.records import Demand, Entry, Reservation


class Till(Protocol):
    """What keeps promises of budgets and limits in this process, and takes what calls have cost."""

    def at_once(self, cover: Cover, amounts: Sequence[int]) -> Reservation | None:
        """So much of each of its quotas, or nothing and None where somebody has to be asked first. Raises LedgerFullError."""
        ...

    async def admit(self, demands: Sequence[Demand]) -> Reservation:
        """All of it. Raises QuotaReachedError, QuotaAwayError, LedgerFullError."""
        ...

    def settle(self, reservation: Reservation, entries: Sequence[Entry]) -> None:
        """What became of it: kept at once, and what was not needed is free again. Once for each reservation."""
        ...
