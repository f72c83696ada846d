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
    by_tokens = [all(cell.tokens or not cell.nano_usd for cell in pair) for pair in pairs]
    metered = [pair for pair, is_metered in zip(pairs, by_tokens, strict=True) if is_metered]
    total = sum(old.tokens for old, _ in metered), sum(new.tokens for _, new in metered)
    every = [_of_cell(*pair, total=total) for pair in metered]
    every += [_of_attempts(*pair) for pair, is_metered in zip(pairs, by_tokens, strict=True) if not is_metered]
    return _Parts(*(sum((part[at] for part in every), _NAUGHT) for at in range(3)))


def _of_cell(old: Cell, new: Cell, *, total: tuple[int, int]) -> _Parts:
    """Each part as one fraction, made of whole numbers alone: a page has thousands of cells."""
    prices = _prices((old.nano_usd, old.tokens), (new.nano_usd, new.tokens))
    if prices is None:
        return _Parts(_NAUGHT, _NAUGHT, _NAUGHT)
    doubled, rise, over = prices  # twice the mean price, and how it rose, of so many tokens
    price = Fraction(rise * (old.tokens + new.tokens), 2 * over)
    before, after = total
    if not before or not after:  # the name used no tokens at all in one of them: there is no mix of none
        return _Parts(price, Fraction(doubled * (new.tokens - old.tokens), 2 * over), _NAUGHT)
    old_share, new_share = old.tokens * after, new.tokens * before  # both of `before * after`
    over = 4 * over * before * after
    volume = Fraction(doubled * (old_share + new_share) * (after - before), over)
    return _Parts(price, volume, Fraction(doubled * (before + after) * (new_share - old_share), over))


def _of_attempts(old: Cell, new: Cell) -> _Parts:
    prices = _prices((old.nano_usd, old.entries), (new.nano_usd, new.entries))
    if prices is None:
        return _Parts(_NAUGHT, _NAUGHT, _NAUGHT)
    doubled, rise, over = prices
    price = Fraction(rise * (old.entries + new.entries), 2 * over)
    return _Parts(price, Fraction(doubled * (new.entries - old.entries), 2 * over), _NAUGHT)


def _prices(old: tuple[int, int], new: tuple[int, int]) -> tuple[int, int, int] | None:
    """What one costs in both windows together, and how much more in the second, both of so many; None: there was none in either."""
    first, last = old if old[1] else new, new if new[1] else old
    if not first[1]:
        return None
    one, other = first[0] * last[1], last[0] * first[1]
    return one + other, other - one, first[1] * last[1]


def rounded(parts: Sequence[Fraction], whole: int) -> list[int]:
    """Fractions that add up to a whole number, as whole numbers that do: what is left goes to the largest remainders."""
    down = [floor(part) for part in parts]
    order = sorted(range(len(parts)), key=lambda at: (down[at] - parts[at], at))
    for at in order[: whole - sum(down)]:
        down[at] += 1
    return down
