"""The vocabulary of language models: messages, usage, the dialects that callers speak, the providers that answer.

Knows nothing of flyball's nouns. What every dialect and provider has in common is in `messages` and `usage`.
"""

from .errors import UpstreamAwayError, UpstreamCutError, UpstreamError, UpstreamRefusedError, UpstreamTimeoutError
from .messages import Message
from .usage import Usage

__all__ = [
    "Message",
    "UpstreamAwayError",
    "UpstreamCutError",
    "UpstreamError",
    "UpstreamRefusedError",
    "UpstreamTimeoutError",
    "Usage",
]
