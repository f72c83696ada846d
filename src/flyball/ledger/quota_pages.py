"""Budgets and limits as pages: the list with its bars, the form that sets one, and one with its leases and its history.

What would stop calls at once is asked for twice. The ledger's own pages are `pages`.
"""

from typing import cast

import msgspec

from flyball.audit import reading
from flyball.audit import service as audit
from flyball.audit.records import Told, Wanted
from flyball.kit.errors import FlyballError
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import foreseeing, quotas
from .declared import Declared, Family, Holder, PassedThreshold, QuotaChange, QuotaWish, Stop, WhenAway
from .gauges import Gauge, gauge
from .records import Unit
from .wording import amount_text, digits_text, limit_unit, percents, usd_amount, whole_amount

pages = Pages(tag="ledger", section="/budgets")

_NOUNS: dict[Family | None, tuple[Family, Family]] = {
    None: ("budget", "limit"),
    "budget": ("budget", "limit"),
    "limit": ("limit", "budget"),
}  # what is offered to be set, the likeliest first
_EVENTS = 20  # of a quota's history


class QuotaList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/quotas.html shows. `which` is "", "budget" or "limit"; `scope` as it was written in the filter."""

    gauges: tuple[Gauge, ...]
    count: int
    next: str | None
    first: bool
    which: str
    scope: str
    may_see_both: bool
    may_set: tuple[str, ...]
    wrong: str = ""


class QuotaForm(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/quota-form.html shows: the form, what is wrong with what was filled in, or what it would stop at once.

    `known` are names of what a quota can be of, by kind; `sure` is what the button says again to mean it.
    """

    family: Family
    filled: dict[str, str]
    known: dict[str, tuple[str, ...]]
    wrong: str = ""
    stops: str = ""
    sure: str = ""


class HeldLease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that lives, with what is held in words."""

    lease: Holder
    held: str


class QuotaPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/quota.html shows. `history` is None where the reader may not see the audit record.

    `filled` is what was filled in to change it, `stops` what that would stop at once; `removing`: whether to remove it is asked.
    """

    gauge: Gauge
    notes: tuple[str, ...]
    leases: tuple[HeldLease, ...]
    passed: tuple[PassedThreshold, ...]
    history: tuple[Told, ...] | None
    may_write: bool
    filled: dict[str, str]
    wrong: str = ""
    stops: str = ""
    sure: str = ""
    removing: bool = False


@pages.get("/budgets", permission="budgets.read", template="ledger/quotas.html")
async def list_budgets(ctx: ContextDep, cursor: str = "", scope: str = "", which: str = "") -> QuotaList:
    """Budgets, and limits beside them for who may see those."""
    return await _list(ctx, cursor, scope.strip(), which if ctx.actor.may("limits.read") else "budget")


@pages.get("/limits", permission="limits.read", template="ledger/quotas.html")
async def list_limits(ctx: ContextDep, cursor: str = "", scope: str = "") -> QuotaList:
    """Limits alone."""
    return await _list(ctx, cursor, scope.strip(), "limit")


async def _list(ctx: ContextDep, cursor: str, scope: str, which: str) -> QuotaList:
    family = cast("Family | None", which if which in ("budget", "limit") else None)
    may_see_both = ctx.actor.may("budgets.read") and ctx.actor.may("limits.read")
    shown = QuotaList(
        gauges=(),
        count=await quotas.count_quotas(ctx, family),
        next=None,
        first=not cursor,
        which=family or "",
        scope=scope,
        may_see_both=may_see_both,
        may_set=tuple(noun for noun in _NOUNS[family] if ctx.actor.may(f"{noun}s.write")),
    )
    try:
        found = await quotas.list_quotas(ctx, family, cursor, scope=scope)
    except FlyballError as error:
        if not scope:
            raise
        return msgspec.structs.replace(shown, wrong=str(error))
    now_ns = ctx.clock.now_ns()
    return msgspec.structs.replace(shown, gauges=tuple(gauge(quota, now_ns) for quota in found.items), next=found.next)


@pages.get("/budgets/new", permission="budgets.write", template="ledger/quota-form.html")
async def show_budget_form(ctx: ContextDep, scope: str = "project", name: str = "") -> QuotaForm:
    """The form that sets a budget."""
    return await _form(ctx, "budget", {"scope": scope, "name": name})


@pages.get("/limits/new", permission="limits.write", template="ledger/quota-form.html")
async def show_limit_form(ctx: ContextDep, scope: str = "project", name: str = "") -> QuotaForm:
    """The form that sets a limit."""
    return await _form(ctx, "limit", {"scope": scope, "name": name})


@pages.post("/budgets/new", permission="budgets.write", template="ledger/quota-form.html")
async def set_budget(ctx: ContextDep, form: FormDep) -> QuotaForm | See:
    """Set a budget; what would stop calls at once is asked for again."""
    return await _set(ctx, "budget", form)


@pages.post("/limits/new", permission="limits.write", template="ledger/quota-form.html")
async def set_limit(ctx: ContextDep, form: FormDep) -> QuotaForm | See:
    """Set a limit; what would stop calls at once is asked for again."""
    return await _set(ctx, "limit", form)


async def _form(ctx: ContextDep, family: Family, filled: dict[str, str]) -> QuotaForm:
    seen = {"key": ctx.actor.may("keys.read"), "member": ctx.actor.may("members.read")}
    known = await foreseeing.known_names(ctx)
    return QuotaForm(
        family=family,
        filled=filled,
        known={kind: names for kind, names in known.items() if seen.get(kind, True)},
    )


async def _set(ctx: ContextDep, family: Family, form: FormDep) -> QuotaForm | See:
    try:
        wish = _wish(family, form)
        foreseen = await foreseeing.foresee_set(ctx, wish)
        sure = f"{wish.scope} {wish.unit} {wish.window} {wish.amount}"
        if foreseen.stops and form.get("sure") != sure:
            return msgspec.structs.replace(await _form(ctx, family, form), stops=foreseen.stops, sure=sure)
        made = await quotas.set_quota(ctx, wish)
    except FlyballError as error:
        return msgspec.structs.replace(await _form(ctx, family, form), wrong=str(error))
    return See(gauge(made, ctx.clock.now_ns()).href, _told(made, "is set"), tone="warn" if made.notes else "good")


def _wish(family: Family, form: dict[str, str]) -> QuotaWish:
    unit: Unit = "nano_usd" if family == "budget" else limit_unit(form.get("unit", ""))
    window = form.get("per", "")
    kind, name = form.get("scope", ""), form.get("name", "")
    return QuotaWish(
        scope=f"{kind}:{name}" if name else kind,
        unit=unit,
        amount=_amount(unit, form.get("amount", "")),
        window="total"
        if unit == "parallel"
        else f"rolling:{form.get('rolling', '')}"
        if window == "rolling"
        else window,
        stop=_stop(form),
        when_away=_when_away(form),
        open_bound=_amount(unit, form["open"]) if form.get("open") else 0,
        alerts=percents(form.get("alerts", "")),
        organisation_wide=bool(form.get("wide")),
    )


def _amount(unit: Unit, text: str) -> int:
    return usd_amount(text) if unit == "nano_usd" else whole_amount(text)


def _stop(form: dict[str, str]) -> Stop:
    return "soft" if form.get("stop") == "soft" else "hard"


def _when_away(form: dict[str, str]) -> WhenAway:
    return "closed" if form.get("when_away") == "closed" else "open"


@pages.get("/budgets/{quota_id}", permission="budgets.read", template="ledger/quota.html")
async def show_budget(ctx: ContextDep, quota_id: str) -> QuotaPage:
    """One budget as it stands."""
    return await _page(ctx, "budget", quota_id)


@pages.get("/limits/{quota_id}", permission="limits.read", template="ledger/quota.html")
async def show_limit(ctx: ContextDep, quota_id: str) -> QuotaPage:
    """One limit as it stands."""
    return await _page(ctx, "limit", quota_id)


@pages.post("/budgets/{quota_id}", permission="budgets.write", template="ledger/quota.html")
async def change_budget(ctx: ContextDep, quota_id: str, form: FormDep) -> QuotaPage | See:
    """Give a budget another amount or behaviour; what would stop calls at once is asked for again."""
    return await _change(ctx, "budget", quota_id, form)


@pages.post("/limits/{quota_id}", permission="limits.write", template="ledger/quota.html")
async def change_limit(ctx: ContextDep, quota_id: str, form: FormDep) -> QuotaPage | See:
    """Give a limit another amount or behaviour; what would stop calls at once is asked for again."""
    return await _change(ctx, "limit", quota_id, form)


@pages.post("/budgets/{quota_id}/removal", permission="budgets.write", template="ledger/quota.html")
async def remove_budget(ctx: ContextDep, quota_id: str, form: FormDep) -> QuotaPage | See:
    """Remove a budget, once somebody is sure."""
    return await _remove(ctx, "budget", quota_id, form)


@pages.post("/limits/{quota_id}/removal", permission="limits.write", template="ledger/quota.html")
async def remove_limit(ctx: ContextDep, quota_id: str, form: FormDep) -> QuotaPage | See:
    """Remove a limit, once somebody is sure."""
    return await _remove(ctx, "limit", quota_id, form)


async def _page(ctx: ContextDep, family: Family, quota_id: str) -> QuotaPage:
    found = await quotas.get_quota(ctx, family, quota_id)
    quota = found.quota
    may_see_history = ctx.actor.may("audit.read")
    wanted = Wanted(object_kind="quota", object_id=quota.id)
    events = (await audit.list_events(ctx, "", _EVENTS, wanted=wanted)).items if may_see_history else ()
    return QuotaPage(
        gauge=gauge(quota, ctx.clock.now_ns()),
        notes=quota.notes,
        leases=tuple(HeldLease(lease=lease, held=amount_text(quota.unit, lease.amount)) for lease in found.leases),
        passed=found.passed,
        history=tuple(reading.tell(event) for event in events) if may_see_history else None,
        may_write=ctx.actor.may(f"{family}s.write"),
        filled={
            "amount": digits_text(quota.unit, quota.amount),
            "stop": quota.stop,
            "when_away": quota.when_away,
            "open": digits_text(quota.unit, quota.open_bound) if quota.open_bound else "",
            "alerts": ", ".join(map(str, quota.alerts)),
        },
    )


async def _change(ctx: ContextDep, family: Family, quota_id: str, form: FormDep) -> QuotaPage | See:
    page = await _page(ctx, family, quota_id)
    quota = page.gauge.quota
    try:
        change = QuotaChange(
            amount=_amount(quota.unit, form.get("amount", "")),
            stop=_stop(form),
            when_away=_when_away(form),
            open_bound=_amount(quota.unit, form["open"]) if form.get("open") else 0,
            alerts=percents(form.get("alerts", "")),
        )
        foreseen = await foreseeing.foresee_change(ctx, family, quota_id, change)
        sure = f"{change.amount} {change.stop}"
        if foreseen.stops and form.get("sure") != sure:
            return msgspec.structs.replace(page, filled=page.filled | form, stops=foreseen.stops, sure=sure)
        changed = await quotas.change_quota(ctx, family, quota_id, change)
    except FlyballError as error:
        return msgspec.structs.replace(page, filled=page.filled | form, wrong=str(error))
    return See(page.gauge.href, _told(changed, "is changed"), tone="warn" if changed.notes else "good")


async def _remove(ctx: ContextDep, family: Family, quota_id: str, form: FormDep) -> QuotaPage | See:
    page = await _page(ctx, family, quota_id)
    if form.get("sure") != quota_id:
        return msgspec.structs.replace(page, removing=True, sure=quota_id)
    try:
        removed = await quotas.remove_quota(ctx, family, quota_id)
    except FlyballError as error:
        return See(page.gauge.href, str(error), tone="bad")
    return See("/budgets" if family == "budget" else "/limits", f"The {family} of {removed.scope} is removed.")


def _told(quota: Declared, how: str) -> str:
    family: Family = "budget" if quota.unit == "nano_usd" else "limit"
    return f"The {family} of {quota.scope} {how}: {amount_text(quota.unit, quota.amount)}. {'. '.join(quota.notes)}".strip()
