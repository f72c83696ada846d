"""The verbs of costs, each in a file of its own: they read the ledger's sums, and change nothing."""

from flyball.infra.context import Context

from . import windows
from .charging import chargeback
from .forecasting import forecast
from .moving import movers
from .records import Window
from .saving import savings
from .spending import spend
from .unit_costs import units

__all__ = ["chargeback", "forecast", "movers", "savings", "spend", "units", "window_of"]


def window_of(ctx: Context, *, since: str = "", until: str = "", last: str = "") -> Window:
    """The window that people mean: see `windows.window_of`."""
    return windows.window_of(ctx.clock.now_ns(), since=since, until=until, last=last)
