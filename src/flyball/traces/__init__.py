"""What happened: immutable spans, the traces that they make up, and the scores that judge them. Append-only.

Producers append to the inbox (`inbox.py`), the gateway by way of its spool (`spooled.py`); the flusher moves the
inbox into Delta tables exactly once; `queries.py` reads both ends as one. A trace is the set of its spans, no row of its own.
"""

from .errors import TraceNotFoundError
from .records import Score, Span, SpanNode, SpanRow, TraceFilter, TraceRow, TraceTree

__all__ = [
    "Score",
    "Span",
    "SpanNode",
    "SpanRow",
    "TraceFilter",
    "TraceNotFoundError",
    "TraceRow",
    "TraceTree",
]
