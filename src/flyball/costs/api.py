"""The HTTP face of costs: parse, one verb, render."""

from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import Depends
from starlette.responses import StreamingResponse

from flyball.surface.http import ContextDep, Router
from flyball.surface.http.bodies import OCTETS

from . import exporting, service
from .goodness import FEEDBACK
from .records import Chargeback, Filters, Forecast, Movers, Savings, Spend, Units

router = Router("/api/costs", tag="costs")


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which window: the last hours, days or weeks, `month` or `last-month`; or from one date or time to another."""

    since: str = ""
    until: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What costs are narrowed to, by name."""

    project: str = ""
    key: str = ""
    member: str = ""
    function: str = ""
    variant: str = ""
    release: str = ""
    model: str = ""
    provider: str = ""
    tag: str = ""
    state: str = ""


Time = Annotated[When, Depends()]
By = Annotated[Narrowed, Depends()]


def _filters(narrowed: Narrowed) -> Filters:
    return Filters(**asdict(narrowed))


@router.get("/spend", permission="ledger.read", returns=Spend)
async def spend(
    ctx: ContextDep, when: Time, narrowed: By, *, by: str = "model", organisation_wide: bool = False, limit: int = 100
) -> Spend:
    """What was spent in a window by project, key, member, function, variant, release, model, provider, tag or state."""
    window = service.window_of(ctx, **asdict(when))
    return await service.spend(ctx, window, by, _filters(narrowed), organisation_wide=organisation_wide, limit=limit)


@router.get("/movers", permission="ledger.read", returns=Movers)
async def movers(
    ctx: ContextDep, when: Time, narrowed: By, *, by: str = "model", organisation_wide: bool = False, limit: int = 20
) -> Movers:
    """Whose costs changed since the window of equal length before, and why: price, volume and mix add up to the change."""
    window = service.window_of(ctx, **asdict(when))
    return await service.movers(ctx, window, by, _filters(narrowed), organisation_wide=organisation_wide, limit=limit)


@router.get("/forecast", permission="ledger.read", returns=Forecast)
async def forecast(ctx: ContextDep, narrowed: By, *, month: str = "", organisation_wide: bool = False) -> Forecast:
    """What a month (`2026-11`; this one unless said) will have cost when it ends, with an interval of 80 %."""
    return await service.forecast(ctx, month, _filters(narrowed), organisation_wide=organisation_wide)


@router.get("/units", permission="ledger.read", returns=Units)
async def units(ctx: ContextDep, when: Time, *, function: str = "", score: str = FEEDBACK) -> Units:
    """What a call, a thousand tokens and a good answer of each function and variant cost."""
    return await service.units(ctx, service.window_of(ctx, **asdict(when)), function=function, score=score)


@router.get("/savings", permission="ledger.read", returns=Savings)
async def savings(ctx: ContextDep, when: Time, *, organisation_wide: bool = False) -> Savings:
    """What prompt caches and routing saved, and against what that is compared."""
    return await service.savings(ctx, service.window_of(ctx, **asdict(when)), organisation_wide=organisation_wide)


@router.get("/chargeback", permission="ledger.read", returns=Chargeback)
async def chargeback(
    ctx: ContextDep, when: Time, narrowed: By, *, by: str = "key", organisation_wide: bool = False
) -> Chargeback:
    """Who is charged what: every entry in one row, so that the rows add up to the ledger."""
    window = service.window_of(ctx, **asdict(when))
    return await service.chargeback(ctx, window, by, _filters(narrowed), organisation_wide=organisation_wide)


@router.get("/export", permission="ledger.read", returns=bytes)
async def export(
    ctx: ContextDep,
    when: Time,
    *,
    format: str = "csv",  # noqa: A002 -- the query's word
    organisation_wide: bool = False,
) -> StreamingResponse:
    """What was spent as a file: `format` csv or focus (FOCUS 1.2). It adds up to the ledger; who exports is recorded."""
    window = service.window_of(ctx, **asdict(when))
    lines = await exporting.export(ctx, window, format, organisation_wide=organisation_wide)
    return StreamingResponse(
        lines,
        media_type=OCTETS,  # a file, to be kept to the byte
        headers={"content-disposition": f'attachment; filename="flyball-costs-{format}.csv"'},
    )
