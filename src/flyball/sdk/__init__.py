"""What an application imports: `observe`, `feedback`, `Client`. Light: it brings none of the server's libraries.

    import flyball

    @flyball.observe
    def answer(question: str) -> str:
        ...

    flyball.feedback(1, comment="helped")

Configured by FLYBALL_SERVER and FLYBALL_KEY; without them `observe` and `feedback` do nothing and say so once. Imports
`kit`, `llm.messages` and `llm.usage` alone.
"""

from .client import AsyncClient, Client
from .observe import observe, span
from .spans import current_span, current_trace_id, trace_context, trace_headers
from .telemetry import feedback, flush

__all__ = [
    "AsyncClient",
    "Client",
    "current_span",
    "current_trace_id",
    "feedback",
    "flush",
    "observe",
    "span",
    "trace_context",
    "trace_headers",
]
