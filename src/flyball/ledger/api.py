"""The HTTP face of budgets and limits, and of keys that are made with them. The ledger's is `ledger_api`."""

from typing import Literal, TypeAlias

import msgspec

from flyball.kit.paging import Page
from flyball.projects.key_api import CreatedKey, NewKey, created
from flyball.projects.key_records import KeyLimits
from flyball.projects.keys import KeyGrant
from flyball.surface.http import Body, ContextDep, Router

from . import capped_keys, quotas
from .capped_keys import Caps
from .declared import Declared, DeclaredWithLeases, QuotaChange, QuotaWish, Stop, WhenAway
from .wording import usd_amount

LimitUnit: TypeAlias = Literal["requests", "tokens", "parallel"]
router = Router("/api", tag="ledger")


class NewBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget: USD as people write them, `usd: "25.00"`, of a scope such as `key backend` or `project`, in a window.

    `per` is minute, hour, day, week, month, total or rolling:SECONDS (rolling:30d as well). `open_usd` is what one worker may
    spend while PostgreSQL does not answer; empty: what a lease would be. `alerts` are percent.
    """

    scope: str = "project"
    usd: str
    per: str = "month"
    stop: Stop = "hard"
    when_away: WhenAway = "open"
    open_usd: str = ""
    alerts: tuple[int, ...] = ()
    organisation_wide: bool = False


class BudgetChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes different of a budget; what is left out stays. Its scope and window never change."""

    usd: str | None = None
    stop: Stop | None = None
    when_away: WhenAway | None = None
    open_usd: str | None = None
    alerts: tuple[int, ...] | None = None
    scope: str | None = None
    per: str | None = None


class NewLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit of `requests`, `tokens` or `parallel` calls, which have no window. The rest is as of a budget."""

    scope: str = "project"
    unit: LimitUnit
    amount: int
    per: str = ""
    stop: Stop = "hard"
    when_away: WhenAway = "open"
    open_bound: int = 0
    alerts: tuple[int, ...] = ()
    organisation_wide: bool = False


class LimitChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes different of a limit; what is left out stays. Its scope, unit and window never change."""

    amount: int | None = None
    stop: Stop | None = None
    when_away: WhenAway | None = None
    open_bound: int | None = None
    alerts: tuple[int, ...] | None = None
    scope: str | None = None
    unit: LimitUnit | None = None
    per: str | None = None


class CappedKey(NewKey, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make with caps of its own: `budget` in USD in the window `per`, requests and tokens a minute, calls at once."""

    budget: str = ""
    per: str = "month"
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None


@router.get("/budgets", permission="budgets.read", returns=Page[Declared])
async def list_budgets(
    ctx: ContextDep, cursor: str = "", limit: int = 50, *, scope: str = "", per: str = ""
) -> Page[Declared]:
    """The budgets that count the project's calls as they stand, newest first; those of one scope or window, where asked."""
    return await quotas.list_quotas(ctx, "budget", cursor, limit, scope=scope, window=per)


@router.post("/budgets", permission="budgets.write", returns=Declared)
async def set_budget(ctx: ContextDep, new: NewBudget = Body(NewBudget)) -> Declared:
    """Make a budget, or give the one of this scope and window another amount and behaviour. It counts at once."""
    wish = QuotaWish(
        scope=new.scope,
        unit="nano_usd",
        amount=usd_amount(new.usd),
        window=new.per,
        stop=new.stop,
        when_away=new.when_away,
        open_bound=usd_amount(new.open_usd) if new.open_usd else 0,
        alerts=new.alerts,
        organisation_wide=new.organisation_wide,
    )
    return await quotas.set_quota(ctx, wish)


@router.get("/budgets/{quota_id}", permission="budgets.read", returns=DeclaredWithLeases)
async def show_budget(ctx: ContextDep, quota_id: str) -> DeclaredWithLeases:
    """One budget as it stands, and which workers hold what of it."""
    return await quotas.get_quota(ctx, "budget", quota_id)


@router.put("/budgets/{quota_id}", permission="budgets.write", returns=Declared)
async def change_budget(ctx: ContextDep, quota_id: str, new: BudgetChange = Body(BudgetChange)) -> Declared:
    """Give a budget another amount or behaviour, at once. Another scope or window is refused: that is another budget."""
    change = QuotaChange(
        amount=None if new.usd is None else usd_amount(new.usd),
        stop=new.stop,
        when_away=new.when_away,
        open_bound=usd_amount(new.open_usd) if new.open_usd else (None if new.open_usd is None else 0),
        alerts=new.alerts,
        scope=new.scope,
        window=new.per,
    )
    return await quotas.change_quota(ctx, "budget", quota_id, change)


@router.delete("/budgets/{quota_id}", permission="budgets.write", returns=Declared)
async def remove_budget(ctx: ContextDep, quota_id: str) -> Declared:
    """A budget caps nothing any more; the ledger keeps what it counted."""
    return await quotas.remove_quota(ctx, "budget", quota_id)


@router.get("/limits", permission="limits.read", returns=Page[Declared])
async def list_limits(
    ctx: ContextDep, cursor: str = "", limit: int = 50, *, scope: str = "", per: str = ""
) -> Page[Declared]:
    """The limits that count the project's calls as they stand, newest first; those of one scope or window, where asked."""
    return await quotas.list_quotas(ctx, "limit", cursor, limit, scope=scope, window=per)


@router.post("/limits", permission="limits.write", returns=Declared)
async def set_limit(ctx: ContextDep, new: NewLimit = Body(NewLimit)) -> Declared:
    """Make a limit, or give the one of this scope, unit and window another amount and behaviour. It counts at once."""
    wish = QuotaWish(
        scope=new.scope,
        unit=new.unit,
        amount=new.amount,
        window=new.per or ("total" if new.unit == "parallel" else "minute"),
        stop=new.stop,
        when_away=new.when_away,
        open_bound=new.open_bound,
        alerts=new.alerts,
        organisation_wide=new.organisation_wide,
    )
    return await quotas.set_quota(ctx, wish)


@router.get("/limits/{quota_id}", permission="limits.read", returns=DeclaredWithLeases)
async def show_limit(ctx: ContextDep, quota_id: str) -> DeclaredWithLeases:
    """One limit as it stands, and which workers hold what of it."""
    return await quotas.get_quota(ctx, "limit", quota_id)


@router.put("/limits/{quota_id}", permission="limits.write", returns=Declared)
async def change_limit(ctx: ContextDep, quota_id: str, new: LimitChange = Body(LimitChange)) -> Declared:
    """Give a limit another amount or behaviour, at once. Another scope, unit or window is refused: that is another limit."""
    same = {name: getattr(new, name) for name in LimitChange.__struct_fields__ if name != "per"}
    return await quotas.change_quota(ctx, "limit", quota_id, QuotaChange(window=new.per, **same))


@router.delete("/limits/{quota_id}", permission="limits.write", returns=Declared)
async def remove_limit(ctx: ContextDep, quota_id: str) -> Declared:
    """A limit caps nothing any more."""
    return await quotas.remove_quota(ctx, "limit", quota_id)


@router.post("/capped-keys", permission="keys.write", returns=CreatedKey, status=201)
async def create_capped_key(ctx: ContextDep, new: CappedKey = Body(CappedKey)) -> CreatedKey:
    """Make a key with a budget and limits of its own, all in one transaction; needs budgets.write and limits.write for them."""
    grant = KeyGrant(
        role=new.role,
        scopes=new.scopes,
        expires=new.expires,
        limits=KeyLimits(models=new.models, functions=new.functions, addresses=new.addresses),
        personal=new.kind == "personal",
        member=new.member,
    )
    caps = Caps(**{name: getattr(new, name) for name in Caps.__struct_fields__})
    return created(await capped_keys.create_capped_key(ctx, new.name, grant, caps))
