"""Ids of traces and spans, for code that makes thousands a second: OpenTelemetry's shapes from a generator of our own.

A generator of our own, because an application that seeds Python's would make the same ids in every run. Unique, not secret:
nothing is guarded by knowing one. Knows forks: a child's ids are not its parent's.
"""

import os
import random

_bits = random.Random().getrandbits  # noqa: S311 -- seeded by the system; unique, not secret


def new_trace_id() -> str:
    """32 lower-case hexadecimal digits, not all zero."""
    return f"{_bits(128) or 1:032x}"


def new_span_id() -> str:
    """16 lower-case hexadecimal digits, not all zero."""
    return f"{_bits(64) or 1:016x}"


def _begin_anew() -> None:
    global _bits  # noqa: PLW0603 -- one per process
    _bits = random.Random().getrandbits  # noqa: S311 -- as above


os.register_at_fork(after_in_child=_begin_anew)
