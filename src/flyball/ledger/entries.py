"""The verbs that show the ledger's entries. Settling is elsewhere; nothing here changes anything."""

from typing import get_args

import msgspec

from flyball.infra.context import Context
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import declared_store, entry_store
from .declared import Charged, EntryFilter, EntryWithCharges, LedgerRow, units_of
from .errors import EntryNotFoundError, QuotaInvalidError
from .records import State
from .scopes import find_place, home_of
from .wording import quota_name


async def list_entries(
    ctx: Context, which: EntryFilter, cursor: str = "", limit: int | None = None, *, key: str = "", member: str = ""
) -> Page[LedgerRow]:
    """The project's entries, newest first, narrowed where asked; `key` and `member` are names.

    Raises KeyNotFoundError, MemberNotFoundError, QuotaInvalidError for what nothing can be named or no state is.
    """
    if which.state and which.state not in get_args(State):
        raise QuotaInvalidError(
            f"{which.state!r:.60} is no state", next_step=f"say one of {', '.join(get_args(State))}"
        )
    if not (0 <= which.since_ns < 2**62 and 0 <= which.until_ns < 2**62):
        raise QuotaInvalidError("this is no time", next_step="write it as 2026-11-21 or 2026-11-21T13:00:00+01:00")
    size = page_size(limit)
    before = decode_cursor(cursor, int, str) if cursor else None
    async with ctx.db.connection() as connection:
        if key:
            which = msgspec.structs.replace(
                which, key_id=(await find_place(connection, ctx, f"key:{key}", ended=True)).scope
            )
        if member:
            which = msgspec.structs.replace(which, member=(await find_place(connection, ctx, f"member:{member}")).scope)
        found = await entry_store.newest(
            connection, ctx.project, which, before=(before[0], before[1]) if before else None, most=size + 1
        )
    last = found[size - 1] if len(found) > size else None
    return Page(items=tuple(found[:size]), next=encode_cursor(last.at_ns, last.id) if last else None)


async def count_entries(ctx: Context) -> int:
    """How many entries the project has."""
    async with ctx.db.connection() as connection:
        return await entry_store.count(connection, ctx.project)


async def get_entry(ctx: Context, entry_id: str) -> EntryWithCharges:
    """One entry, and the budgets and limits that it used something of. Raises EntryNotFoundError."""
    async with ctx.db.connection() as connection:
        row = await entry_store.one(connection, ctx.project, entry_id)
        if row is None:
            raise EntryNotFoundError(
                f"the ledger of this project has no entry {entry_id!r:.100}",
                next_step="`flyball ledger list` shows them",
            )
        home = await home_of(connection, ctx)
        charges = []
        for quota_id, amount in (await entry_store.charges(connection, ctx.project, entry_id)).items():
            known = await declared_store.one(
                connection, quota_id, project=ctx.project, organisation=home.id, units=units_of(None)
            )
            charges.append(
                Charged(
                    quota_id=quota_id,
                    name=quota_name(known.quota, known.name) if known else "",
                    unit=known.quota.unit if known else None,
                    amount=amount,
                )
            )
    return EntryWithCharges(entry=row, charges=tuple(charges))
