"""How long to wait before trying again: exponential, with full jitter, within a deadline."""

import random
from collections.abc import Iterator


def backoff(*, first: float = 0.05, factor: float = 2.0, most: float = 5.0, tries: int = 8) -> Iterator[float]:
    """Seconds to sleep between tries: `tries - 1` values, each drawn between 0 and its bound."""
    bound = first
    for _ in range(tries - 1):
        yield random.uniform(0, bound)  # noqa: S311 -- jitter needs no secrecy
        bound = min(bound * factor, most)
