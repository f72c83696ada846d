"""The verb that says what was spent in a window, by whom, hour by hour or day by day."""

from collections.abc import Sequence

from flyball.infra.context import Context
from flyball.infra.db.database import Row
from flyball.kit.paging import page_size

from . import store
from .asking import COLUMN, Asked, added, asked, beside, check_by, group_of, names_of, sums_of, without
from .records import By, Filters, Point, Spend, SpendRow, Step, Sums, Window
from .windows import DAY_NS, HOUR_NS, check

_MOST_HOURS = 72  # longer windows are shown by days


async def spend(
    ctx: Context,
    window: Window,
    by: str = "model",
    filters: Filters | None = None,
    *,
    organisation_wide: bool = False,
    limit: int = 100,
) -> Spend:
    """What was spent in a window, by one dimension, the dearest name first.

    Raises:
        CostsInvalidError: a window, a dimension or a name that none can be.
        KeyNotFoundError, MemberNotFoundError, ProjectNotFoundError: nobody has the name.
        ExceedsOwnRightsError: the whole organisation is asked for by somebody who is none of its owners.
    """
    dimension, window = check_by(by), check(window, ctx.clock.now_ns())
    wanted = await asked(ctx, window, filters, organisation_wide=organisation_wide)
    step: Step = "hour" if window.until_ns - window.since_ns <= _MOST_HOURS * HOUR_NS else "day"
    rows, periods, untagged = await _read(wanted, dimension, step)
    total = added([sums_of(row) for row in periods])
    rows = _ordered(rows, dimension)
    shown = rows[: page_size(limit)]
    names = await names_of(wanted, dimension, shown)
    made = [_row(wanted, dimension, names, row, total) for row in shown]
    if untagged is not None:
        made.append(SpendRow(name="", id="", sums=untagged, share=_share(untagged, total)))
    return Spend(
        window=window,
        by=dimension,
        total=total,
        rows=tuple(made),
        names=len(rows) + (untagged is not None),
        others=added([sums_of(row) for row in rows[len(shown) :]]),
        overlapping=dimension == "tag",
        step=step,
        series=_series(window, step, periods),
        notes=wanted.notes,
    )


async def _read(wanted: Asked, by: By, step: Step) -> tuple[list[Row], list[Row], Sums | None]:
    """Rows of names, rows of hours or days, and what carries no tag where tags are asked for."""
    group = group_of(by)
    async with store.at_one_moment(wanted.database) as connection:
        (rows,) = await store.grouped(connection, wanted.where, group, step=step)
        (periods,) = await store.grouped(connection, wanted.where, ("at_ns",), step=step)  # often of far fewer rows
        if by != "tag" or wanted.where.tag:
            return rows, periods, None
        (tagged,) = await store.grouped(connection, wanted.where, ("at_ns",), step=step, by_tags=True)
    untagged = without(added([sums_of(row) for row in periods]), added([sums_of(row) for row in tagged]))
    return rows, periods, untagged if untagged.entries else None


def _ordered(rows: Sequence[Row], by: By) -> list[Row]:
    return sorted(rows, key=lambda row: (-row["nano_usd"], -row["tokens"], *(row[name] for name in group_of(by))))


def _row(wanted: Asked, by: By, names: dict[str, str], row: Row, total: Sums) -> SpendRow:
    id_, sums = str(row[COLUMN[by]]), sums_of(row)
    return SpendRow(name=names.get(id_, id_), id=id_, of=beside(wanted, by, row), sums=sums, share=_share(sums, total))


def _share(part: Sums, total: Sums) -> float | None:
    return part.nano_usd / total.nano_usd if total.nano_usd else None


def _series(window: Window, step: Step, rows: Sequence[Row]) -> tuple[Point, ...]:
    long = HOUR_NS if step == "hour" else DAY_NS
    found = {row["at_ns"]: Point(row["at_ns"], row["nano_usd"], row["requests"], row["tokens"]) for row in rows}
    starts = range(window.since_ns - window.since_ns % long, window.until_ns, long)
    return tuple(found.get(start, Point(start, 0, 0, 0)) for start in starts)
