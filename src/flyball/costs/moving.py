"""The verb that says whose costs changed between two windows, and why: see `decomposing` for what price, volume and mix are."""

from collections import defaultdict

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Row
from flyball.kit.paging import page_size

from . import store
from .asking import COLUMN, Asked, asked, beside, check_by, group_of, names_of
from .decomposing import Cell, moved, together
from .records import By, Filters, Moved, Mover, Movers, Window
from .windows import check

_WITHIN = ("function", "model")  # what a name's tokens are spread over
_SUMS = ("nano_usd", "tokens", "entries")
_Cells = dict[tuple[str, ...], dict[object, Cell]]


async def movers(
    ctx: Context,
    window: Window,
    by: str = "model",
    filters: Filters | None = None,
    *,
    against: Window | None = None,
    organisation_wide: bool = False,
    limit: int = 20,
) -> Movers:
    """Whose costs changed since another window (the one of equal length right before, unless said), the largest change first.

    Of each name the change is exactly price + volume + mix; of one that is new or gone, exactly that.

    Raises:
        CostsInvalidError, KeyNotFoundError, MemberNotFoundError, ProjectNotFoundError, ExceedsOwnRightsError: as `spend`.
    """
    dimension, window = check_by(by), check(window, ctx.clock.now_ns())
    since = check(against, ctx.clock.now_ns()) if against else window.before
    wanted = await asked(ctx, window, filters, organisation_wide=organisation_wide)
    async with store.at_one_moment(wanted.database) as connection:
        old, new = [await _cells(connection, wanted, dimension, each) for each in (since, window)]
    moves = {key: moved(old.get(key, {}), new.get(key, {})) for key in {**old, **new}}
    order = sorted(moves, key=lambda key: (-abs(moves[key].delta), key))
    changed = [key for key in order if moves[key].delta or _is_there(moves[key])]
    shown = changed[: page_size(limit)]
    rows: dict[tuple[str, ...], Row] = {key: dict(zip(group_of(dimension), key, strict=True)) for key in shown}
    names = await names_of(wanted, dimension, list(rows.values()))
    return Movers(
        window=window,
        against=since,
        by=dimension,
        total=together(list(moves.values())),
        rows=tuple(
            Mover(
                name=names.get(str(row[COLUMN[dimension]]), str(row[COLUMN[dimension]])),
                id=str(row[COLUMN[dimension]]),
                of=beside(wanted, dimension, row),
                moved=moves[key],
                is_new=key not in old,
                is_gone=key not in new,
            )
            for key, row in rows.items()
        ),
        names=len(changed),
        others=together([moves[key] for key in changed[len(shown) :]]),
        notes=wanted.notes,
    )


def _is_there(move: Moved) -> bool:
    return bool(move.price or move.volume or move.mix)


async def _cells(connection: Connection, wanted: Asked, by: By, window: Window) -> _Cells:
    """By name, what it used of each function and model."""
    group = group_of(by)
    within = [name for name in _WITHIN if name not in group]
    where = store.Where(
        projects=wanted.where.projects, window=window, columns=wanted.where.columns, tag=wanted.where.tag
    )
    (rows,) = await store.grouped(connection, where, (*group, *within), sums=_SUMS)
    found: _Cells = defaultdict(dict)
    for row in rows:
        cell = Cell(row["nano_usd"], row["tokens"], row["entries"])
        found[tuple(row[name] for name in group)][tuple(row[name] for name in within)] = cell
    return dict(found)
