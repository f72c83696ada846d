"""The verbs: how the server does now, and how it did for a day. For its operator alone."""

from flyball import __version__
from flyball.infra.context import Context
from flyball.infra.db.operators import knows_server

from . import places
from .errors import HealthRefusedError
from .flows import flows_of, flush_of, flusher_of, gateways_of
from .judging import judge, told_of
from .objective import attain
from .processes import processes_of
from .records import Disk, Figures, Health, History, Objective, Waiting
from .tables import with_compactions
from .watching import KINDS, Watch, watch_of


async def examine(ctx: Context) -> Health:
    """How the server does now, and what is to be said of it.

    Raises:
        HealthRefusedError: the project is another organisation's.
    """
    await _refuse_others(ctx)
    watch = watch_of(ctx)
    await watch.refresh()
    figures = _figures(ctx, watch)
    findings = judge(figures)
    order = ("bad", "warn", "note", "good")
    return Health(state=min((one.state for one in findings), key=order.index), findings=findings, figures=figures)


async def history(ctx: Context) -> History:
    """The minutes of the last day.

    Raises:
        HealthRefusedError: the project is another organisation's.
    """
    await _refuse_others(ctx)
    watch = watch_of(ctx)
    await watch.refresh()
    return History(items=tuple(watch.minutes()))


async def warning_of(ctx: Context) -> str:
    """A sentence where the objective for lag is missed or in danger; nothing where it is met, or not for the actor to know."""
    if not await may_see(ctx):
        return ""
    watch = watch_of(ctx)
    await watch.remember()
    stands = attain(watch.minutes(), objective_of(ctx), ctx.clock.now_ns())
    return told_of(stands) if stands.state in ("missed", "burning") else ""


async def may_see(ctx: Context) -> bool:
    """Whether the context's actor is told of the server's health."""
    if not ctx.actor.may("health.read"):
        return False
    if ctx.actor.kind in ("local", "system"):  # asked without PostgreSQL, which may be what is wrong
        return True
    async with ctx.db.connection() as connection:
        return await knows_server(connection, ctx.project, kind=ctx.actor.kind)


def objective_of(ctx: Context) -> Objective:
    """The objective that is set."""
    return Objective(seconds=ctx.settings.lag_slo_seconds, percent=ctx.settings.lag_slo_percent)


async def _refuse_others(ctx: Context) -> None:
    if not await may_see(ctx):
        raise HealthRefusedError(
            "how the server does is shown to its operator alone",
            next_step="`flyball traces list` shows what has arrived of yours; ask the operator for the rest",
        )


def _figures(ctx: Context, watch: Watch) -> Figures:
    now_ns, minutes = ctx.clock.now_ns(), watch.minutes()
    free, total = watch.disk
    return Figures(
        at_ns=now_ns,
        version=__version__,
        attainment=attain(minutes, objective_of(ctx), now_ns),
        waiting=_waiting(watch, now_ns),
        flows=flows_of(watch),
        turned_away=int(sum(one.sum_of("turned_away") for one in watch.vitals)),
        turned_away_rate=watch.growth.per_second("turned_away"),
        given_up=int(sum(one.sum_of("given_up") for one in watch.vitals)),
        aside=watch.aside,
        flushes=tuple(flush_of(watch, kind) for kind in KINDS),
        flusher=flusher_of(watch),
        tables=tuple(with_compactions(table, watch.vitals) for table in watch.tables),
        disk=Disk(
            free=free,
            total=total,
            parts=watch.parts,
            measured_ns=watch.surveyed_ns or None,
            full_in_seconds=places.full_in_seconds(minutes, free, now_ns),
        ),
        jobs=watch.jobs,
        processes=processes_of(watch.vitals, watch.usages, watch.cpu_percents, now_ns),
        postgres=watch.postgres,
        gateways=gateways_of(watch),
        calls_rate=watch.growth.per_second("calls"),
    )


def _waiting(watch: Watch, now_ns: int) -> tuple[Waiting, ...] | None:
    """The lag of the newest sample; how much waits is some seconds older."""
    if watch.oldest is None or watch.postgres.away:
        return None
    rows = watch.waiting or {}
    return tuple(
        Waiting(
            kind=kind,
            records=rows[kind]["records"] if kind in rows else 0,
            bytes=rows[kind]["bytes"] if kind in rows else 0,
            lag_ns=max(0, now_ns - at) if (at := watch.oldest.get(kind)) is not None else 0,
        )
        for kind in KINDS
    )
