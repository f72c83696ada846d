"""Where things lie in the data directory: told by `kit.layout`, so that the commands know it too. Knows nothing of its own."""

from flyball.kit.layout import Layout

__all__ = ["Layout"]
