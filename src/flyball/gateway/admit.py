"""Who comes in now. This worker's own limits: so many calls at once, so many bytes of bodies, and its memory is bounded.

More than that is refused at once with a time to come back; nothing queues here. Budgets and rates of keys join here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import OverloadedError


class Gate:
    """What is in flight in this worker."""

    def __init__(self, *, most_calls: int, most_bytes: int) -> None:
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self.calls = 0
        self.bytes = 0
        self.admitted = 0
        self.refused = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """A seat for one call, given back at the end of the block. Raises OverloadedError."""
        if self.calls >= self._most_calls:
            self.refused += 1
            raise OverloadedError(f"{self.calls} calls")
        self.calls += 1
        self.admitted += 1
        try:
            yield
        finally:
            self.calls -= 1

    @contextmanager
    def loan(self) -> "Iterator[Loan]":
        """Memory for one body, given back at the end of the block."""
        loan = Loan(self)
        try:
            yield loan
        finally:
            self.bytes -= loan.taken

    def take(self, size: int) -> None:
        """So many bytes more. Raises OverloadedError."""
        if self.bytes + size > self._most_bytes:
            self.refused += 1
            raise OverloadedError(f"{self.bytes:,} bytes of requests")
        self.bytes += size


class Loan:
    """What one call has taken of the worker's memory."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.taken = 0

    def take(self, size: int) -> None:
        """So many bytes more. Raises OverloadedError."""
        self._gate.take(size)
        self.taken += size
