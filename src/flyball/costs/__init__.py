"""Costs: what was spent, by whom, why it changed, what it will be, and what an answer costs.

Everything is read from the sums of the ledger (`ledger/sum_store.py`); this room writes nothing.
"""

from .errors import CostsInvalidError
from .records import By, Chargeback, Filters, Forecast, Movers, Savings, Spend, Units, Window

__all__ = [
    "By",
    "Chargeback",
    "CostsInvalidError",
    "Filters",
    "Forecast",
    "Movers",
    "Savings",
    "Spend",
    "Units",
    "Window",
]
