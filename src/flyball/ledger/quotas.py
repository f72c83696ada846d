"""The verbs of budgets and limits: set, change, remove, list, show. One quota for each scope, unit and window; all of them count.

A budget and a limit are the same thing in other units, so every verb is told which family it is about. Whoever may set those
of a project does not for that set the organisation's: its owners alone do.
"""

from typing import get_args

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.clock import to_datetime
from flyball.kit.ids import new_id
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size
from flyball.projects.tenants import organisation_to_change

from . import declared_store, quota_store
from .alerts import passed_thresholds, untold_notes
from .bank_postgres import PostgresBank
from .declared import (
    UNITS,
    Declared,
    DeclaredWithLeases,
    Family,
    Holder,
    KnownQuota,
    QuotaChange,
    QuotaWish,
    units_of,
)
from .errors import QuotaFixedError, QuotaInvalidError, QuotaNotFoundError, TooManyQuotasError
from .records import Quota, Standing, Unit, check_amount, check_scope
from .scopes import Place, find_place, home_of
from .wording import amount_text, changed_words, quota_name, scope_text, scope_words, window_text, window_words

MOST_QUOTAS = 10_000  # of an organisation: every gateway worker holds all
_MOST_ALERTS, _HIGHEST_ALERT = 10, 1_000  # percent
_CHANGEABLE = ("amount", "stop", "when_away", "open_bound", "alerts")


async def set_quota(ctx: Context, wish: QuotaWish) -> Declared:
    """Make a quota, or give the one of this scope, unit and window another amount and behaviour. It counts at once.

    A new one counts what was used since its window began.

    Raises:
        QuotaInvalidError: nothing can be of this scope, or this is no amount or window.
        KeyNotFoundError, MemberNotFoundError: nobody has the name.
        ExceedsOwnRightsError: it is the organisation's, and the actor is none of its owners.
        TooManyQuotasError: there are as many as may be.
    """
    async with ctx.db.across_projects().transaction() as connection:
        place = await find_place(connection, ctx, wish.scope, organisation_wide=wish.organisation_wide)
        await refuse_the_organisations(connection, ctx, place.project)
        known, before = await put(connection, ctx, place, wish)
        notes = [*place.notes, *await _beside(connection, known.quota)]
    return await _shown(ctx, known, [*changed_words(before, known.quota), *notes])


async def put(connection: Connection, ctx: Context, place: Place, wish: QuotaWish) -> tuple[KnownQuota, Quota | None]:
    """Write a quota in the caller's transaction, with its audit event and the news to the gateway; and what it was before."""
    quota = wished(ctx, place, wish)
    same = await declared_store.same(connection, quota)
    if not same:
        await quota_store.hold_settling(connection)
        same = await declared_store.same(connection, quota)  # somebody else was first
    if same:
        found = await declared_store.one(
            connection, same, project=ctx.project, organisation=quota.organisation, units=(quota.unit,), lock=True
        )
        assert found is not None  # noqa: S101 -- it is locked
        after = msgspec.structs.replace(
            found.quota,
            version=found.quota.version + 1,
            **{name: getattr(quota, name) for name in _CHANGEABLE},
        )
        return await _update(connection, ctx, found, after), found.quota
    await _refuse_too_many(connection, quota.organisation, 1)
    # By the clock of windows: by one that is ahead of it, nothing would count until then.
    quota = msgspec.structs.replace(quota, created_ns=await quota_store.now_ns(connection))
    await quota_store.insert(connection, quota)
    known = KnownQuota(quota=quota, name=place.name)
    await _record_set(connection, ctx, known, before=None)
    return known, None


async def refuse_too_many(ctx: Context, more: int) -> None:
    """For whoever makes several in a transaction that sees one project alone. Raises TooManyQuotasError."""
    async with ctx.db.across_projects().connection() as connection:
        await _refuse_too_many(connection, (await home_of(connection, ctx)).id, more)


async def _refuse_too_many(connection: Connection, organisation: str, more: int) -> None:
    if await declared_store.count(connection, organisation) + more > MOST_QUOTAS:
        raise TooManyQuotasError(
            f"the organisation may have {MOST_QUOTAS:,} budgets and limits, and would have more",
            next_step="remove some: `flyball budgets list`, `flyball limits list`",
        )


async def of_project(connection: Connection, ctx: Context) -> list[KnownQuota]:
    """Every quota of the project alone; not its organisation's."""
    found = await declared_store.page(
        connection, project=ctx.project, organisation="", units=get_args(Unit), most=MOST_QUOTAS
    )
    return [known for known in found if known.quota.project is not None]


def check_wish(wish: QuotaWish) -> None:
    """Raises QuotaInvalidError for a wish that no quota can be, whatever it is of."""
    words = scope_words(wish.scope)
    _check(_quota(Place("", "any", words.kind, words.name, words.name), wish, now_ns=0))


async def change_quota(ctx: Context, family: Family, quota_id: str, change: QuotaChange) -> Declared:
    """Give a quota another amount or behaviour, at once. Below what is used nothing comes in until enough has freed.

    Raises:
        QuotaNotFoundError: there is none of this family and id here.
        QuotaFixedError: another scope, unit or window is asked for.
        QuotaInvalidError, ExceedsOwnRightsError: as `set_quota`.
    """
    async with ctx.db.across_projects().transaction() as connection:
        found = await _locked(connection, ctx, family, quota_id)
        await _refuse_other(connection, ctx, found, change)
        wanted = {name: value for name in _CHANGEABLE if (value := getattr(change, name)) is not None}
        after = msgspec.structs.replace(found.quota, version=found.quota.version + 1, **wanted)
        after = msgspec.structs.replace(after, alerts=_alerts(after.alerts))
        _check(after)
        known = await _update(connection, ctx, found, after)
    return await _shown(ctx, known, [])


async def remove_quota(ctx: Context, family: Family, quota_id: str) -> Declared:
    """A quota caps nothing any more. What the ledger says of it stays. Raises QuotaNotFoundError, ExceedsOwnRightsError."""
    found, _ = await _found(ctx, family, quota_id)
    shown = await _shown(ctx, found, [])
    async with ctx.db.across_projects().transaction() as connection:
        found = await _locked(connection, ctx, family, quota_id)
        await quota_store.remove(connection, quota_id, ctx.clock.now_ns())
        await notify(connection, SNAPSHOT)
        await audit.record(
            connection,
            ctx,
            action="budgets.remove" if found.quota.unit == "nano_usd" else "limits.remove",
            object_kind="quota",
            object_id=quota_id,
            object_name=quota_name(found.quota, found.name),
            before=found.quota,
        )
    return shown


async def list_quotas(
    ctx: Context,
    family: Family | None,
    cursor: str = "",
    limit: int | None = None,
    *,
    scope: str = "",
    window: str = "",
) -> Page[Declared]:
    """The quotas that count the project's calls, its organisation's among them, newest first; of one scope or window if asked.

    Budgets and limits together where no family is named.
    """
    size = page_size(limit)
    before = decode_cursor(cursor, int, str) if cursor else None
    async with ctx.db.connection() as connection:
        home = await home_of(connection, ctx)
        place = await find_place(connection, ctx, scope, ended=True) if scope else None
        found = await declared_store.page(
            connection,
            project=ctx.project,
            organisation=home.id,
            units=units_of(family),
            scope=(place.kind, place.scope) if place else ("", ""),
            window=window_text(window, "requests") if window else "",
            before=(before[0], before[1]) if before else None,
            most=size + 1,
        )
    standings = await PostgresBank(ctx.db).standings([known.quota.id for known in found[:size]])
    last = found[size - 1].quota if len(found) > size else None
    return Page(
        items=tuple(_declared(known, standings.get(known.quota.id)) for known in found[:size]),
        next=encode_cursor(last.created_ns, last.id) if last else None,
    )


async def count_quotas(ctx: Context, family: Family | None) -> int:
    """How many quotas count the project's calls."""
    async with ctx.db.connection() as connection:
        home = await home_of(connection, ctx)
        return await declared_store.count_counting(connection, ctx.project, home.id, units_of(family))


async def get_quota(ctx: Context, family: Family, quota_id: str) -> DeclaredWithLeases:
    """One quota as it stands, and which workers hold what of it. Raises QuotaNotFoundError."""
    known, holders = await _found(ctx, family, quota_id)
    passed = await passed_thresholds(ctx, quota_id)
    return DeclaredWithLeases(quota=await _shown(ctx, known, []), leases=tuple(holders), passed=passed)


async def _found(ctx: Context, family: Family, quota_id: str) -> tuple[KnownQuota, list[Holder]]:
    async with ctx.db.connection() as connection:
        home = await home_of(connection, ctx)
        known = await declared_store.one(
            connection, quota_id, project=ctx.project, organisation=home.id, units=UNITS[family]
        )
        if known is None:
            raise _missing(family, quota_id)
        return known, await declared_store.leases(connection, quota_id)


async def _locked(connection: Connection, ctx: Context, family: Family, quota_id: str) -> KnownQuota:
    home = await home_of(connection, ctx)
    known = await declared_store.one(
        connection, quota_id, project=ctx.project, organisation=home.id, units=UNITS[family], lock=True
    )
    if known is None:
        raise _missing(family, quota_id)
    await refuse_the_organisations(connection, ctx, known.quota.project)
    return known


def _missing(family: Family, quota_id: str) -> QuotaNotFoundError:
    return QuotaNotFoundError(
        f"no {family} of this project has the id {quota_id!r:.100}", next_step=f"`flyball {family}s list` shows them"
    )


async def refuse_the_organisations(connection: Connection, ctx: Context, project: str | None) -> None:
    """What counts every project's calls is the owners' of the organisation to decide."""
    if project is None:
        await organisation_to_change(connection, ctx, "change budgets and limits of the whole organisation")


async def _refuse_other(connection: Connection, ctx: Context, found: KnownQuota, change: QuotaChange) -> None:
    quota = found.quota
    name = quota_name(quota, found.name)
    if change.scope is not None:
        place = await find_place(connection, ctx, change.scope, organisation_wide=quota.project is None, ended=True)
        if (place.kind, place.scope) != (quota.scope_kind, quota.scope):
            raise _fixed(name, "scope", scope_text(quota.scope_kind, found.name))
    if change.unit not in (None, quota.unit):
        raise _fixed(name, "unit", quota.unit)
    if change.window is not None and window_text(change.window, quota.unit) != quota.window:
        raise _fixed(name, "window", quota.window)


def _fixed(name: str, what: str, value: str) -> QuotaFixedError:
    return QuotaFixedError(
        f"the {what} of the {name} is {value}, and never changes: what is counted would mean something else",
        next_step="set another with `flyball budgets set` or `flyball limits set`, then remove this one",
    )


def wished(ctx: Context, place: Place, wish: QuotaWish) -> Quota:
    """The quota that somebody wishes, if there can be such a one. Raises QuotaInvalidError."""
    quota = _quota(place, wish, now_ns=ctx.clock.now_ns())
    _check(quota)
    return quota


def _quota(place: Place, wish: QuotaWish, *, now_ns: int) -> Quota:
    return Quota(
        id=new_id("quo", now_ns),
        organisation=place.organisation,
        project=place.project,
        unit=wish.unit,
        scope_kind=place.kind,
        scope=place.scope,
        amount=wish.amount,
        window=window_text(wish.window, wish.unit),
        stop=wish.stop,
        when_away=wish.when_away,
        open_bound=wish.open_bound,
        alerts=_alerts(wish.alerts),
        created_ns=now_ns,
    )


def _check(quota: Quota) -> None:
    check_amount(quota.unit, quota.amount)
    check_amount(quota.unit, quota.open_bound)
    check_scope(quota.scope_kind, quota.scope, quota.project)
    if quota.unit == "parallel" and quota.stop == "soft":
        raise QuotaInvalidError(
            "a soft limit of parallel calls would count nothing: they are counted by being let in",
            next_step="leave `soft` out",
        )
    if quota.unit == "parallel" and quota.alerts:
        raise QuotaInvalidError(
            "a limit of parallel calls has no threshold: none of it is ever used up, it is held and free again",
            next_step="leave the alerts out",
        )


def _alerts(percents: tuple[int, ...]) -> tuple[int, ...]:
    """Thresholds in percent, each once, in order."""
    wrong = [one for one in percents if isinstance(one, bool) or not 1 <= one <= _HIGHEST_ALERT]
    if wrong or len(percents) > _MOST_ALERTS:
        raise QuotaInvalidError(
            f"{wrong[0]!r:.30} is no threshold" if wrong else f"{len(percents)} thresholds are too many",
            next_step=f"give {_MOST_ALERTS} at most, each from 1 to {_HIGHEST_ALERT} percent",
        )
    return tuple(sorted(set(percents)))


async def _update(connection: Connection, ctx: Context, before: KnownQuota, after: Quota) -> KnownQuota:
    known = KnownQuota(quota=after, name=before.name)
    if all(getattr(after, name) == getattr(before.quota, name) for name in _CHANGEABLE):
        return before  # it says so already
    await quota_store.update(connection, after)
    await _record_set(connection, ctx, known, before=before.quota)
    return known


async def _record_set(connection: Connection, ctx: Context, known: KnownQuota, *, before: Quota | None) -> None:
    await notify(connection, SNAPSHOT)
    await audit.record(
        connection,
        ctx,
        action="budgets.set" if known.quota.unit == "nano_usd" else "limits.set",
        object_kind="quota",
        object_id=known.quota.id,
        object_name=quota_name(known.quota, known.name),
        before=before,
        after=known.quota,
    )


async def _beside(connection: Connection, quota: Quota) -> list[str]:
    others = await declared_store.beside(connection, quota)
    if not others:
        return []
    listed = ", ".join(
        f"{amount_text(quota.unit, amount)} {window_words(quota.unit, window)}" for window, amount in others
    )
    return [f"the same calls are counted by {listed} as well: the first that is used up stops them"]


async def _shown(ctx: Context, known: KnownQuota, notes: list[str]) -> Declared:
    standings = await PostgresBank(ctx.db).standings([known.quota.id])
    standing = standings.get(known.quota.id)
    untold = await untold_notes(ctx, known.quota)
    return _declared(known, standing, (*notes, *_of_standing(known.quota, standing), *untold))


def _of_standing(quota: Quota, standing: Standing | None) -> tuple[str, ...]:
    if quota.amount == 0:
        return ("0 lets nothing through",) if quota.stop == "hard" else ()
    if standing is None or standing.settled + standing.leased < quota.amount:
        return ()
    used = amount_text(quota.unit, standing.settled)
    held = f", and workers hold {amount_text(quota.unit, standing.leased)}" if standing.leased else ""
    if quota.stop == "soft":
        return (f"{used} are used already{held}; it stops nothing, for it is soft",)
    when = f" before {to_datetime(standing.frees_ns):%Y-%m-%d %H:%M} UTC" if standing.frees_ns else ""
    return (f"{used} are used already{held}: nothing comes in{when} until enough has freed",)


def _declared(known: KnownQuota, standing: Standing | None, notes: tuple[str, ...] = ()) -> Declared:
    quota = known.quota
    return Declared(
        id=quota.id,
        unit=quota.unit,
        scope=scope_text(quota.scope_kind, known.name or quota.scope),
        scope_kind=quota.scope_kind,
        scope_id=quota.scope,
        organisation_wide=quota.project is None,
        amount=quota.amount,
        window=quota.window,
        stop=quota.stop,
        when_away=quota.when_away,
        open_bound=quota.open_bound,
        alerts=quota.alerts,
        created_ns=quota.created_ns,
        version=quota.version,
        settled=standing.settled if standing else 0,
        leased=standing.leased if standing else 0,
        free=standing.free if standing else quota.amount,
        window_ns=standing.window_ns if standing else 0,
        frees_ns=standing.frees_ns if standing and not standing.free else None,
        notes=notes,
    )
