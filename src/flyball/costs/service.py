"""The verbs of costs, each in a file of its own: they read the ledger's sums, and change nothing."""

from flyball.infra.context import Context

from . import windows
from .moving import movers
from .records import Window
from .spending import spend

__all__ = ["movers", "spend", "window_of"]


def window_of(ctx: Context, *, since: str = "", until: str = "", last: str = "") -> Window:
    """The window that people mean: see `windows.window_of`."""
    return windows.window_of(ctx.clock.now_ns(), since=since, until=until, last=last)
