"""What tests, benchmarks and users of flyball run instead of a provider: an upstream that does as it is told.

It speaks OpenAI Chat, OpenAI Responses, Anthropic Messages, Gemini and Bedrock Converse, each at its vendor's paths.
`python -m flyball.testing --port 9001` starts one; `ScriptedUpstream` is the same inside a test.
"""

from .bills import Bill
from .dialect import Received
from .script import Call, Source, Turn
from .upstream import ScriptedUpstream

__all__ = ["Bill", "Call", "Received", "ScriptedUpstream", "Source", "Turn"]
