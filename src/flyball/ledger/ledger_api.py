"""The HTTP face of the ledger: its entries, and whether everything adds up to them. Budgets and limits: `api`."""

from typing import Annotated

import msgspec
from fastapi import Depends

from flyball.audit.service import time_of
from flyball.kit.paging import Page
from flyball.surface.http import ContextDep, Router

from . import checking, entries
from .declared import EntryFilter, LedgerRow
from .records import Drift

router = Router("/api/ledger", tag="ledger")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What differed from the entries: counters of budgets and limits, and hours and days whose sums did. `repaired`: it does no more."""

    ok: bool
    repaired: bool
    counters: tuple[Drift, ...]
    hours_ns: tuple[int, ...]
    days_ns: tuple[int, ...]


class Wanted:
    """What a list of entries is narrowed to, from the query. Keys and members by name or id."""

    def __init__(
        self,
        *,
        function: str = "",
        model: str = "",
        tag: str = "",
        state: str = "",
        trace: str = "",
        since: str = "",
        until: str = "",
    ) -> None:
        self.filter = EntryFilter(
            function=function,
            model=model,
            tag=tag,
            state=state,
            trace_id=trace,
            since_ns=time_of(since),
            until_ns=time_of(until, whole_day=True),
        )


@router.get("", permission="ledger.read", returns=Page[LedgerRow])
async def list_entries(
    ctx: ContextDep,
    wanted: Annotated[Wanted, Depends()],
    *,
    key: str = "",
    member: str = "",
    cursor: str = "",
    limit: int = 50,
) -> Page[LedgerRow]:
    """The project's entries, newest first: one for each attempt, with what it used and cost."""
    return await entries.list_entries(ctx, wanted.filter, cursor, limit, key=key, member=member)


@router.get("/check", permission="ledger.read", returns=Checked)
async def check(ctx: ContextDep) -> Checked:
    """Derive every counter and every sum by the hour and the day from the entries again, and say what differs; changes nothing."""
    return _told(await checking.check(ctx), repaired=False)


@router.post("/repairs", permission="ledger.write", returns=Checked)
async def repair(ctx: ContextDep) -> Checked:
    """Set what differs to what the entries add up to, each counter by an event of the audit record; says what that was."""
    return _told(await checking.repair(ctx), repaired=True)


def _told(found: checking.Checked, *, repaired: bool) -> Checked:
    return Checked(ok=found.ok, repaired=repaired, **found._asdict())
