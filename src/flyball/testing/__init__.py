"""What tests, benchmarks and users of flyball run instead of a provider: an upstream that does as it is told.

`python -m flyball.testing --port 9001` starts one; `ScriptedUpstream` is the same inside a test.
"""

from .script import Turn
from .upstream import Received, ScriptedUpstream

__all__ = ["Received", "ScriptedUpstream", "Turn"]
