"""The verbs of one's own personal keys: whoever is signed in makes, sees, rotates and revokes theirs, whatever their role.

They need no permission, since such a key may do what its member may anyway. A key makes none by them, not even a personal
one; nobody else's keys are found, and what is not found cannot be told from what is not there.
"""

import msgspec

from flyball.infra.context import Context
from flyball.kit.paging import Page

from . import key_store as store
from . import keys
from .errors import ExceedsOwnRightsError, NoMemberError, TooManyKeysError
from .key_records import EVERY_KEY, Key, KeyFilter, MadeKey, RotatedKey
from .keys import DEFAULT_OVERLAP, KeyGrant

MOST = 50


async def create_own_key(ctx: Context, name: str, grant: KeyGrant) -> MadeKey:
    """Make a personal key of the actor's own; of neither role nor scopes, it may do all that they may.

    Raises:
        NoMemberError: no member who is signed in asks.
        TooManyKeysError: they have 50 that can be used.
        ExceedsOwnRightsError: it would have more than they have, or they may do nothing at all at the moment.
        InvalidNameError, NameTakenError, UnknownRoleError, UnknownPermissionError, InvalidInputError: as `keys.create_key`.
    """
    member = own_member(ctx)
    if not ctx.actor.permissions:
        raise ExceedsOwnRightsError(
            f"{ctx.actor.name} may do nothing here at the moment, and neither would the key",
            next_step="if this server requires a second factor of you, set it up on the page /account",
        )
    await _refuse_too_many(ctx, member)
    own = KeyGrant(role=grant.role, scopes=grant.scopes, expires=grant.expires, limits=grant.limits, personal=True)
    return await keys.create_key(ctx, name, grant=own)


async def list_own_keys(
    ctx: Context, cursor: str = "", limit: int | None = None, which: KeyFilter = EVERY_KEY
) -> Page[Key]:
    """The actor's personal keys of the project, those that have ended too, newest first. Raises NoMemberError."""
    return await keys.list_keys(
        ctx, cursor, limit, msgspec.structs.replace(which, kind="personal", member=own_member(ctx))
    )


async def get_own_key(ctx: Context, id_or_name: str) -> tuple[Key, str]:
    """One of the actor's keys, and the id of the one that took its place, if any. Raises NoMemberError, KeyNotFoundError."""
    return await keys.get_key(ctx, id_or_name, of_member=own_member(ctx))


async def rotate_own_key(
    ctx: Context, id_or_name: str, overlap: str = DEFAULT_OVERLAP, expires: str = ""
) -> RotatedKey:
    """Put a new key in the place of one of the actor's. Raises as `keys.rotate_key`; NoMemberError, TooManyKeysError."""
    member = own_member(ctx)
    await _refuse_too_many(ctx, member)
    return await keys.rotate_key(ctx, id_or_name, overlap, expires, of_member=member)


async def revoke_own_key(ctx: Context, id_or_name: str) -> Key:
    """Make one of the actor's keys useless; by name also those that it replaced. Raises NoMemberError, KeyNotFoundError."""
    return await keys.revoke_key(ctx, id_or_name, of_member=own_member(ctx))


def own_member(ctx: Context) -> str:
    """The id of the member who is signed in and acts. Raises NoMemberError for anybody else."""
    if ctx.actor.kind != "member":
        raise NoMemberError(
            f"{ctx.actor.name} is no member who is signed in, and has no keys of their own",
            next_step="sign in; at the server itself, `flyball keys create NAME --personal`",
        )
    return ctx.actor.id


async def _refuse_too_many(ctx: Context, member: str) -> None:
    """Every worker of the gateway holds every key, and these cost their makers no permission."""
    async with ctx.db.connection() as connection:
        usable = await store.count_usable(connection, ctx.project, member, ctx.clock.now_ns())
    if usable >= MOST:
        raise TooManyKeysError(
            f"{ctx.actor.name} has {usable} keys that can be used, and {MOST} is the most",
            next_step="revoke one that nothing presents any more: the page /account/keys shows when each was used",
        )
