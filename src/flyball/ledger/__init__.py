"""The ledger: how much may be spent, and every unit that was.

A quota caps money (a budget) or requests, tokens and parallel calls (a limit) in a window. Workers spend from leases that they
take from a bank, so no call asks a database; every attempt settles once, and the entries alone say what each counter must be.
"""

from .errors import QuotaInvalidError
from .records import Charge, Demand, Entry, Lease, Quota, Reservation, Short, Standing, Take

__all__ = [
    "Charge",
    "Demand",
    "Entry",
    "Lease",
    "Quota",
    "QuotaInvalidError",
    "Reservation",
    "Short",
    "Standing",
    "Take",
]
