"""The verbs that prove the ledger: every counter and every sum by the hour and the day, derived again from the entries alone.

What differs is told by `check` and corrected by `repair`, whose corrections are events of the audit record.
"""

from typing import NamedTuple

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection

from . import quota_store, sum_store
from .records import Drift


class Checked(NamedTuple):
    """What differs from the entries; nothing, if all is well."""

    counters: tuple[Drift, ...]  # of the project's quotas, and of its organisation's
    hours_ns: tuple[int, ...]  # in which a sum of the project differs
    days_ns: tuple[int, ...]

    @property
    def ok(self) -> bool:
        """Whether the ledger adds up."""
        return not (self.counters or self.hours_ns or self.days_ns)


async def check(ctx: Context) -> Checked:
    """Derive every counter and every sum again, and say what differs. Changes nothing, and keeps nobody from settling."""
    async with ctx.db.across_projects().connection() as connection:
        return await _differing(connection, ctx)


async def repair(ctx: Context) -> Checked:
    """Set what differs to what the entries add up to; what that was. Meanwhile entries wait to be settled."""
    async with ctx.db.across_projects().transaction() as connection:
        await quota_store.hold_settling(connection)
        found = await _differing(connection, ctx)
        if found.counters:
            await quota_store.correct(connection, found.counters)
        if found.hours_ns or found.days_ns:
            await sum_store.sum_again(connection, ctx.project, sum_store.Periods(found.hours_ns, found.days_ns))
        for drift in found.counters:
            await audit.record(
                connection,
                ctx,
                action="ledger.repair",
                object_kind="quota",
                object_id=drift.quota,
                before={"window_ns": drift.window_ns, "settled": drift.counted},
                after={"window_ns": drift.window_ns, "settled": drift.derived},
            )
        if found.hours_ns or found.days_ns:
            await audit.record(
                connection,
                ctx,
                action="ledger.sum_again",
                object_kind="project",
                object_id=ctx.project,
                after={"hours_ns": list(found.hours_ns), "days_ns": list(found.days_ns)},
            )
    return found


async def _differing(connection: Connection, ctx: Context) -> Checked:
    drifts = await quota_store.drifts(connection, ctx.project, ctx.clock.now_ns())
    return Checked(tuple(drifts), *await sum_store.differing(connection, ctx.project))
