"""flyball: closed-loop operations for applications built on language models.

What an application uses is here by name, loaded when it is first used, so that commands and servers do not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sdk import AsyncClient, Client, current_trace_id, feedback, flush, observe, trace_headers

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "current_trace_id", "feedback", "flush", "observe", "trace_headers"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'flyball' has no attribute {name!r}")
    return getattr(import_module("flyball.sdk"), name)
