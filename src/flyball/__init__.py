"""flyball: closed-loop operations for applications built on language models.

What an application uses is here by name, loaded when it is first used, so that commands and servers do not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sdk import (
        AsyncClient,
        Client,
        current_span,
        current_trace_id,
        feedback,
        flush,
        observe,
        span,
        trace_context,
        trace_headers,
    )
    from .sdk.instrumenting import instrument
    from .sdk.telemetry import configure
    from .sdk.threads import ContextThreadPoolExecutor, in_context

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Client",
    "ContextThreadPoolExecutor",
    "configure",
    "current_span",
    "current_trace_id",
    "feedback",
    "flush",
    "in_context",
    "instrument",
    "observe",
    "span",
    "trace_context",
    "trace_headers",
]

_HOMES = {
    "ContextThreadPoolExecutor": "flyball.sdk.threads",
    "configure": "flyball.sdk.telemetry",
    "in_context": "flyball.sdk.threads",
    "instrument": "flyball.sdk.instrumenting",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'flyball' has no attribute {name!r}")
    found = getattr(import_module(_HOMES.get(name, "flyball.sdk")), name)
    globals()[name] = found  # the next look is free
    return found
