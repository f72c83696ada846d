"""Why: from an answer back to everything that it rests on, each by content hash.

answer -> release -> approvals -> evaluation -> variant -> index version -> passages -> dataset version -> source documents.
A link that was not recorded says so and why; a hash is recomputed wherever its content is at hand. Nothing is guessed.
"""

from .records import Link, Why

__all__ = ["Link", "Why"]
