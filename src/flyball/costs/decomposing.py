"""Why a cost changed: Bennet's decomposition into price, volume and mix, in exact integers. Pure.

A name's cost is that of its cells (one per function and model that it used): cost = price of a token x tokens, and tokens of a
cell = the name's tokens x the cell's share of them. Between two windows, with the mean of both (Bennet's way: neither window is
the base, and swapping them swaps the signs):

- **price**: what a token of the same cell costs more or less, times the mean tokens of the cell;
- **volume**: how many tokens the name used more or less, at mean shares and mean prices;
- **mix**: how tokens moved between its cells, at the mean volume and mean prices.

A cell without tokens in one window has, there, the price that it has in the other. A cell without tokens that cost something is
counted in attempts, and has no mix. The three are exact fractions that add up to the change; they are rounded to nano-dollars by
largest remainder, so that they add up still. A name that is new or gone is no mix of anything: its whole cost is `new` or `gone`.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import NamedTuple

from .records import Moved

_NAUGHT = Fraction(0)
_HALF = Fraction(1, 2)


class Cell(NamedTuple):
    """What a name used of one function and model, in one window."""

    nano_usd: int
    tokens: int
    entries: int


class _Parts(NamedTuple):
    price: Fraction
    volume: Fraction
    mix: Fraction


_NOTHING = Cell(0, 0, 0)


def moved(before: Mapping[object, Cell], after: Mapping[object, Cell]) -> Moved:
    """What became of a name's cost, from its cells in one window to those in the next."""
    cost_before, cost_after = _cost(before), _cost(after)
    delta = cost_after - cost_before
    if not before or not after:
        return Moved(
            before=cost_before,
            after=cost_after,
            delta=delta,
            new=delta if not before else 0,
            gone=delta if before else 0,
        )
    parts = _parts([(before.get(key, _NOTHING), after.get(key, _NOTHING)) for key in {**before, **after}])
    price, volume, mix = rounded(parts, delta)
    return Moved(before=cost_before, after=cost_after, delta=delta, price=price, volume=volume, mix=mix)


def together(moves: Sequence[Moved]) -> Moved:
    """What several changes add up to."""
    return Moved(**{name: sum(getattr(one, name) for one in moves) for name in Moved.__struct_fields__})


def _cost(cells: Mapping[object, Cell]) -> int:
    return sum(cell.nano_usd for cell in cells.values())


def _parts(pairs: Sequence[tuple[Cell, Cell]]) -> _Parts:
    metered = [pair for pair in pairs if all(cell.tokens or not cell.nano_usd for cell in pair)]
    others = [pair for pair in pairs if pair not in metered]
    every = [_of_cell(*pair, total=_totals(metered)) for pair in metered] + [_of_attempts(*pair) for pair in others]
    return _Parts(*(sum((part[at] for part in every), _NAUGHT) for at in range(3)))


def _totals(pairs: Sequence[tuple[Cell, Cell]]) -> tuple[int, int]:
    return sum(old.tokens for old, _ in pairs), sum(new.tokens for _, new in pairs)


def _of_cell(old: Cell, new: Cell, *, total: tuple[int, int]) -> _Parts:
    prices = _prices((old.nano_usd, old.tokens), (new.nano_usd, new.tokens))
    if prices is None:
        return _Parts(_NAUGHT, _NAUGHT, _NAUGHT)
    price, rise = (prices[0] + prices[1]) * _HALF, prices[1] - prices[0]
    quantity = (Fraction(old.tokens) + new.tokens) * _HALF
    shares = [Fraction(cell.tokens, whole) if whole else None for cell, whole in zip((old, new), total, strict=True)]
    if shares[0] is None or shares[1] is None:  # the name used no tokens at all in one of them: there is no mix of none
        return _Parts(rise * quantity, price * (new.tokens - old.tokens), _NAUGHT)
    share, shift = (shares[0] + shares[1]) * _HALF, shares[1] - shares[0]
    volume = (Fraction(total[0]) + total[1]) * _HALF
    return _Parts(rise * quantity, price * share * (total[1] - total[0]), price * volume * shift)


def _of_attempts(old: Cell, new: Cell) -> _Parts:
    prices = _prices((old.nano_usd, old.entries), (new.nano_usd, new.entries))
    if prices is None:
        return _Parts(_NAUGHT, _NAUGHT, _NAUGHT)
    quantity = Fraction(old.entries + new.entries) * _HALF
    return _Parts(
        (prices[1] - prices[0]) * quantity, (prices[0] + prices[1]) * _HALF * (new.entries - old.entries), _NAUGHT
    )


def _prices(old: tuple[int, int], new: tuple[int, int]) -> tuple[Fraction, Fraction] | None:
    """What one costs in both windows; None: there was none in either."""
    known = [Fraction(cost, count) if count else None for cost, count in (old, new)]
    first, last = known[0] if known[0] is not None else known[1], known[1] if known[1] is not None else known[0]
    return None if first is None or last is None else (first, last)


def rounded(parts: Sequence[Fraction], whole: int) -> list[int]:
    """Fractions that add up to a whole number, as whole numbers that do: what is left goes to the largest remainders."""
    down = [floor(part) for part in parts]
    order = sorted(range(len(parts)), key=lambda at: (down[at] - parts[at], at))
    for at in order[: whole - sum(down)]:
        down[at] += 1
    return down
