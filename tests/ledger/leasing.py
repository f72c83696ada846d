"""Quotas, leases and purses that hold them, for tests without a bank."""

from typing import NamedTuple

from flyball.ledger.bank import LEASE_NS, SECOND
from flyball.ledger.purse import Purse
from flyball.ledger.records import Lease, Quota, Standing

BANK = 1_780_315_200 * SECOND
names = (f"lease_{number}" for number in range(10**9))


def quota(name="q", **differently):
    plain = {"organisation": "org", "project": "pro", "unit": "nano_usd", "scope_kind": "project", "amount": 1_000}
    return Quota(**plain | {"id": name, "window": "day"} | differently)


def lease(amount, name="q", **differently):
    plain = {"id": next(names), "quota": name, "window_ns": 0, "worker": "w", "amount": amount, "granted_ns": BANK}
    return Lease(**plain | {"expires_ns": BANK + LEASE_NS} | differently)


def purse_with(*leases, now_ns=0):
    purse = Purse()
    for one in leases:
        purse.receive(one, asked_ns=now_ns, now_ns=now_ns)
    return purse


def standing(free, recalling=0, name="q"):
    return Standing(name, 1_000, 1_000 - free, 0, 0, None, recalling)


def lost(purse, first):
    """The bank has a lease no more; when the next call comes."""
    purse.renewed([first.id], {}, asked_ns=1, now_ns=2)
    return 2


def ending_sooner(purse, first):
    """A renewal says that a lease ends sooner; a time after that end."""
    told = lease(100, id=first.id, expires_ns=BANK + 10)
    purse.renewed([first.id], {first.id: told}, asked_ns=1, now_ns=2)
    return 20


class Hold(NamedTuple):
    """A part of a reservation: so much of one lease."""

    quota: str
    unit: str
    lease: str
    amount: int


def holds(reservation):
    """What a call was admitted with, lease by lease."""
    parts = zip(reservation.leases, reservation.amounts, strict=True)
    return tuple(Hold(lease.quota, lease.unit, lease.id, amount) for lease, amount in parts)


def reserved(purse, held):
    """What calls that go on were promised of a lease, told by their own parts."""
    every = (*purse._open.values(), *purse._split.values())
    return sum(left for parts in every for one, left in zip(*parts, strict=True) if one is held)
