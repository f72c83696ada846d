"""The verb that says who is charged what: rows that add up to the ledger's total, to the nano-dollar, each entry in one of them."""

from flyball.infra.context import Context

from . import store
from .asking import COLUMN, added, asked, beside, check_by, group_of, names_of, sums_of, without
from .records import Charge, Chargeback, Filters, Window
from .windows import check


async def chargeback(
    ctx: Context, window: Window, by: str = "key", filters: Filters | None = None, *, organisation_wide: bool = False
) -> Chargeback:
    """Who is charged what; every name, the dearest first. By tag, entries with several tags are charged to all of them together.

    Raises:
        CostsInvalidError, KeyNotFoundError, MemberNotFoundError, ProjectNotFoundError, ExceedsOwnRightsError: as `spend`.
    """
    dimension, window = check_by(by), check(window, ctx.clock.now_ns())
    wanted = await asked(ctx, window, filters, organisation_wide=organisation_wide)
    group = ("tags",) if dimension == "tag" else group_of(dimension)
    async with store.at_one_moment(wanted.database) as connection:
        (rows,) = await store.grouped(connection, wanted.where, group)
        (states,) = await store.grouped(connection, wanted.where, ("state",))
    total = added([sums_of(row) for row in states])
    if dimension == "tag":
        charges = [Charge(name=" + ".join(row["tags"]), id=" + ".join(row["tags"]), sums=sums_of(row)) for row in rows]
        rest = without(total, added([each.sums for each in charges]))
        charges += [Charge(name="", id="", sums=rest)] if rest.entries else []
    else:
        names = await names_of(wanted, dimension, rows)
        charges = [
            Charge(name=names.get(id_, id_), id=id_, of=beside(wanted, dimension, row), sums=sums_of(row))
            for row in rows
            for id_ in (str(row[COLUMN[dimension]]),)
        ]
    charges.sort(key=lambda each: (-each.sums.nano_usd, -each.sums.entries, each.name, each.of, each.id))
    return Chargeback(window=window, by=dimension, total=total, rows=tuple(charges))
