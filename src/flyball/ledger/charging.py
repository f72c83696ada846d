"""What a call used, paid from what was reserved for it: lease by lease, to the unit.

Knows what is held; which reservations are open, the purse knows. An excess is paid from what else is free of its quota here, then
of no lease at all.
"""

from collections.abc import Mapping, Sequence

from .held import Held
from .records import UNLEASED, Charge, Unit

HeldOf = Mapping[str, Sequence[Held]]  # all that is held, by quota


def settled(
    leases: Sequence[Held], reserved: Sequence[int], actual: Mapping[Unit, int], held_of: HeldOf
) -> tuple[Charge, ...]:
    """The last charges of a call that has each quota from one lease, as nearly every one; what it did not need is free again."""
    charges: list[Charge] = []
    for held, rest in zip(leases, reserved):  # noqa: B905 -- for every call, and to be strict takes twice as long
        if used := actual.get(held.unit, 0):
            if used > rest:
                charges += _exceeded(held, rest, used, held_of)
                continue
            held.drawn += used
            held.room += rest - used  # of a lost lease: seen by nobody
            charges.append(Charge(held.quota, held.id, used))
        else:
            held.room += rest
    return tuple(charges)


def drawn(
    leases: Sequence[Held], reserved: Sequence[int], actual: Mapping[Unit, int], held_of: HeldOf
) -> tuple[tuple[Charge, ...], list[int]]:
    """Charges of a call that goes on, and what is left of what was reserved; a quota may come from several leases, one after the other."""
    charges: list[Charge] = []
    rests: list[int] = []
    quota, left = "", 0
    for held, rest in zip(leases, reserved, strict=True):
        if held.quota != quota:
            charges += _excess(quota, left, held_of)
            quota, left = held.quota, actual.get(held.unit, 0)
        if used := min(left, rest):
            left -= used
            held.drawn += used
            charges.append(Charge(quota, held.id, used))
        rests.append(rest - used)
    charges += _excess(quota, left, held_of)
    return tuple(charges), rests


def _exceeded(held: Held, rest: int, used: int, held_of: HeldOf) -> list[Charge]:
    held.drawn += rest
    first = [Charge(held.quota, held.id, rest)] if rest else []
    return first + _excess(held.quota, used - rest, held_of)


def _excess(quota: str, left: int, held_of: HeldOf) -> list[Charge]:
    charges = []
    for held in held_of.get(quota, ()) if left else ():
        if used := min(left, held.free):
            held.room -= used
            held.drawn += used
            left -= used
            charges.append(Charge(quota, held.id, used))
    return [*charges, Charge(quota, UNLEASED, left)] if left else charges
