"""The verb that makes a key together with its budget and limits: in one transaction, so that it never calls without them."""

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.projects import keys
from flyball.projects.key_records import Key, MadeKey
from flyball.projects.keys import KeyGrant

from . import quota_store, quotas
from .declared import QuotaWish
from .errors import QuotaInvalidError, QuotaNotAllowedError
from .records import MOST, Unit
from .scopes import Place, home_of
from .wording import usd_amount


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """What a key may use: USD in a window (`per`), requests and tokens a minute, calls at once. None and empty: as much as it likes."""

    budget: str = ""
    per: str = "month"
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None


async def create_capped_key(ctx: Context, name: str, grant: KeyGrant, caps: Caps) -> MadeKey:
    """Make a key with a budget and limits of its own. What either verb refuses is refused, and nothing is made then.

    Raises:
        QuotaInvalidError: there is no cap, or one cannot be.
        QuotaNotAllowedError: the actor may make keys, and no budgets or limits.
        and whatever `keys.create_key` raises.
    """
    wishes = _wishes(caps)
    for wish in wishes:
        needed = "budgets.write" if wish.unit == "nano_usd" else "limits.write"
        if not ctx.actor.may(needed):
            raise QuotaNotAllowedError(
                f"{ctx.actor.name} may make keys, and sets no {needed.partition('.')[0]}",
                next_step=f"ask for the permission {needed}, or make the key without",
            )

    async def cap(connection: Connection, key: Key) -> None:
        await quota_store.hold_settling(connection)  # before the record is held, as everywhere
        home = await home_of(connection, ctx)
        for wish in wishes:
            await quotas.put(connection, ctx, Place(home.id, ctx.project, "key", key.line, key.name), wish)

    return await keys.create_key(ctx, name, grant=grant, beside=cap)


def _wishes(caps: Caps) -> tuple[QuotaWish, ...]:
    wishes = [QuotaWish(unit="nano_usd", amount=usd_amount(caps.budget), window=caps.per)] if caps.budget else []
    limits: tuple[tuple[Unit, int | None, str], ...] = (
        ("requests", caps.requests_per_minute, "minute"),
        ("tokens", caps.tokens_per_minute, "minute"),
        ("parallel", caps.parallel, "total"),
    )
    wishes += [
        QuotaWish(unit=unit, amount=amount, window=window) for unit, amount, window in limits if amount is not None
    ]
    if not wishes:
        raise QuotaInvalidError(
            "this key would have neither a budget nor a limit", next_step="give one, or make it with `POST /api/keys`"
        )
    for wish in wishes:
        if not 0 <= wish.amount <= MOST:
            raise QuotaInvalidError(
                f"{wish.amount!r:.40} is no amount of {wish.unit}", next_step="say a whole number from 0"
            )
    return tuple(wishes)
