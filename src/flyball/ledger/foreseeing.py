"""What a budget or limit would do if it were set, changed or removed: asked before, by people who should not be surprised.

Changes nothing. How much is used may be more by the time that it is set.
"""

from typing import get_args

import msgspec

from flyball.infra.context import Context

from . import declared_store, quota_store
from .declared import Declared, Family, QuotaChange, QuotaWish
from .quotas import get_quota, refuse_the_organisations, wished
from .records import ScopeKind, Unit
from .scopes import find_place
from .wording import amount_text


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen. `stops` is a sentence where calls that come in now would be refused at once; empty where none would.

    `before` is what the quota is now; None where there is none of this scope, unit and window.
    """

    used: int
    stops: str = ""
    before: Declared | None = None


async def foresee_set(ctx: Context, wish: QuotaWish) -> Foreseen:
    """What `set_quota` would do. Raises what it would raise, other than that there are too many."""
    async with ctx.db.across_projects().connection() as connection:
        place = await find_place(connection, ctx, wish.scope, organisation_wide=wish.organisation_wide)
        await refuse_the_organisations(connection, ctx, place.project)
        quota = wished(ctx, place, wish)
        same = await declared_store.same(connection, quota)
        used = 0 if same else await quota_store.used(connection, quota)
    if not same:
        return Foreseen(used=used, stops=_stops(wish, used, 0))
    before = (await get_quota(ctx, "budget" if wish.unit == "nano_usd" else "limit", same)).quota
    return Foreseen(
        used=before.settled,
        stops=_stops(wish, before.settled, before.leased) if _comes_in(before) else "",
        before=before,
    )


async def foresee_change(ctx: Context, family: Family, quota_id: str, change: QuotaChange) -> Foreseen:
    """What `change_quota` would do. Raises QuotaNotFoundError."""
    before = (await get_quota(ctx, family, quota_id)).quota
    amount = before.amount if change.amount is None else change.amount
    wish = QuotaWish(scope="", unit=before.unit, amount=amount, window=before.window, stop=change.stop or before.stop)
    stops = _stops(wish, before.settled, before.leased) if _comes_in(before) else ""
    return Foreseen(used=before.settled, stops=stops, before=before)


async def known_names(ctx: Context) -> dict[str, tuple[str, ...]]:
    """What a quota can be of here, by kind of scope, as far as it is known: keys and members that are, what calls have named."""
    async with ctx.db.connection() as connection:
        return {
            kind: tuple(sorted(names))
            for kind in get_args(ScopeKind)
            if (names := await declared_store.names(connection, ctx.project, kind))
        }


def _comes_in(quota: Declared) -> bool:
    """Whether calls come in as the quota is now: then only can they be stopped."""
    return quota.stop == "soft" or _counted(quota.unit, quota.settled, quota.leased) < quota.amount


def _stops(wish: QuotaWish, used: int, held: int) -> str:
    counted = _counted(wish.unit, used, held)
    if wish.stop == "soft" or counted < wish.amount:
        return ""
    if not wish.amount:
        return "Nothing is let through: every call that it counts is refused at once."
    so_far = f"{amount_text(wish.unit, counted)} {'go on' if wish.unit == 'parallel' else 'are used already'}"
    return f"{so_far}: every call that it counts is refused at once, until enough has freed."


def _counted(unit: Unit, used: int, held: int) -> int:
    """What stops calls: what is used. What workers hold idle they give back; of parallel calls there is nothing else."""
    return held if unit == "parallel" else used
