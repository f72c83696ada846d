"""The verbs of keys: how programs get to call. What a key may be given is in `key_grants`; people are in `members`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import ConflictError, InvalidInputError
from flyball.kit.ids import new_id
from flyball.kit.names import name_key
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size
from flyball.kit.secrets import Secret, new_token, token_hash

from . import key_store as store
from .errors import KeyNotFoundError, NameTakenError
from .expiry import expiry_ns, span_seconds
from .granting import refuse_more_than_own
from .key_grants import (
    acting_member,
    check_key_name,
    checked,
    member_for,
    permissions_for,
    refuse_others_secret,
    refuse_wider_than_own,
)
from .key_records import EVERY_KEY, KEY_PREFIX, NO_LIMITS, ActiveKey, Key, KeyFilter, KeyLimits, MadeKey, RotatedKey
from .key_refusals import refusals_of
from .key_uses import uses_of
from .records import Member

LONGEST_TOKEN = 200
DEFAULT_ROLE = "application"
DEFAULT_OVERLAP = "24h"
_SHOWN = len(KEY_PREFIX) + 6
_LONGEST_OVERLAP_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGrant:
    """What a key is to be given. A role or scopes; of neither an application's role, or all that a personal key's member has.

    `expires` is as people write it (`90d`, `2027-01-31`), empty: never. `member`: whose personal key it is, where the
    owner of the data directory makes it for somebody.
    """

    role: str = ""
    scopes: tuple[str, ...] = ()
    expires: str = ""
    limits: KeyLimits = NO_LIMITS
    personal: bool = False
    member: str = ""


async def create_key(
    ctx: Context,
    name: str,
    role: str = "",
    grant: KeyGrant | None = None,
    *,
    beside: Callable[[Connection, Key], Awaitable[None]] | None = None,
) -> MadeKey:
    """Make a key; its secret is in the answer and nowhere else. `role` is short for a grant of a role alone.

    `beside` is done in the same transaction, right before the key is written: both are there, or neither.

    Raises:
        InvalidNameError, NameTakenError: the name cannot be one, or a key in use has it, or one that looks like it.
        UnknownRoleError, UnknownPermissionError, InvalidInputError: the grant cannot be understood.
        MemberNotFoundError: nobody is there whose personal key it could be.
        ExceedsOwnRightsError: it would have more than the actor has.
    """
    check_key_name(name)
    wanted = grant or KeyGrant(role=role)
    now_ns = ctx.clock.now_ns()
    expires_ns = expiry_ns(wanted.expires, now_ns)
    limits = checked(wanted.limits)
    if wanted.member and not wanted.personal:
        raise InvalidInputError("only a personal key has a member", next_step="add --personal, or leave the member out")
    async with ctx.db.transaction() as connection:
        member = await member_for(connection, ctx, wanted.member) if wanted.personal else None
        by_role = wanted.role or ("" if wanted.scopes or member else DEFAULT_ROLE)
        made = _new_key(ctx, name, member, now_ns)
        key = msgspec.structs.replace(
            made.key,
            role=by_role,
            permissions=await permissions_for(connection, ctx, by_role, wanted.scopes, member),
            models=limits.models,
            functions=limits.functions,
            addresses=limits.addresses,
            expires_ns=expires_ns,
        )
        await refuse_wider_than_own(connection, ctx, key)
        if beside is not None:
            await beside(connection, key)
        await _insert(connection, ctx, key, made.secret)
    return MadeKey(key, made.secret)


def _new_key(ctx: Context, name: str, member: Member | None, now_ns: int) -> MadeKey:
    secret = _new_secret()
    id_ = new_id("key", now_ns)
    key = Key(
        id=id_,
        line=id_,
        project=ctx.project,
        name=name,
        kind="personal" if member else "service",
        member=member.id if member else None,
        member_name=member.name if member else "",
        prefix=_shown(secret),
        role="",
        permissions=(),
        created_by=ctx.actor.id,
        created_ns=now_ns,
    )
    return MadeKey(key, secret)


def _new_secret() -> Secret:
    return Secret(KEY_PREFIX + new_token())


def _shown(secret: Secret) -> str:
    return secret.reveal()[:_SHOWN]


async def _insert(connection: Connection, ctx: Context, key: Key, secret: Secret) -> None:
    if not await store.insert_key(connection, key, name_key(key.name), token_hash(secret.reveal())):
        raise NameTakenError(
            f"there is a key named {key.name!r} already, or one whose name looks like it",
            next_step=f"choose another name, or `flyball keys revoke {key.name}` first",
        )
    await notify(connection, SNAPSHOT)
    await audit.record(connection, ctx, action="keys.create", object_kind="key", object_id=key.id, after=key)


async def rotate_key(
    ctx: Context, id_or_name: str, overlap: str = DEFAULT_OVERLAP, expires: str = "", *, of_member: str = ""
) -> RotatedKey:
    """Put a new key in the place of one, with the same name and rights; the old one works on for the overlap.

    The new one expires when the old one would have, unless `expires` says otherwise. `overlap` is as people write it;
    `0` ends the old one at once. `of_member` finds that member's keys alone.

    Raises:
        KeyNotFoundError: there is none of this id or name, or it is revoked.
        ConflictError: it has expired, or another took its place already.
        InvalidInputError: overlap or expiry cannot be understood.
        ExceedsOwnRightsError: it has more than the actor has, or is somebody else's personal key.
    """
    overlap_seconds = span_seconds(overlap)
    if overlap_seconds > _LONGEST_OVERLAP_SECONDS:
        raise InvalidInputError(f"an overlap of {overlap} is more than 30 days", next_step="choose a shorter one")
    now_ns = ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        old = await _rotatable(connection, ctx, id_or_name, now_ns, of_member)
        secret = _new_secret()
        key = msgspec.structs.replace(
            old,
            id=new_id("key", now_ns),
            prefix=_shown(secret),
            created_by=ctx.actor.id,
            created_ns=now_ns,
            expires_ns=expiry_ns(expires, now_ns) if expires else old.expires_ns,
            replaces=old.id,
            used_ns=None,
            used_from="",
        )
        await refuse_wider_than_own(connection, ctx, key)
        ends_ns = now_ns + overlap_seconds * NANOSECONDS
        ends_ns = ends_ns if old.expires_ns is None else min(ends_ns, old.expires_ns)
        await store.set_replaced(connection, ctx.project, old.id, replaced_ns=now_ns, expires_ns=ends_ns)
        after = msgspec.structs.replace(old, replaced_ns=now_ns, expires_ns=ends_ns)
        await _insert(connection, ctx, key, secret)
        await audit.record(
            connection, ctx, action="keys.rotate", object_kind="key", object_id=old.id, before=old, after=after
        )
    return RotatedKey(key, secret, after)


async def _rotatable(connection: Connection, ctx: Context, id_or_name: str, now_ns: int, of_member: str) -> Key:
    # Who waited for another rotation of the same name to end finds its key gone, and the new one at the second look.
    key = await store.current_key(connection, ctx.project, id_or_name, of_member) or await store.current_key(
        connection, ctx.project, id_or_name, of_member
    )
    if key is None:
        raise _not_found(id_or_name)
    if key.replaced_ns is not None:
        raise ConflictError(
            f"another key took the place of {id_or_name!r:.100} already", next_step=f"`flyball keys rotate {key.name}`"
        )
    if key.state(now_ns) == "expired":
        raise ConflictError(
            f"the key {key.name!r} has expired", next_step=f"`flyball keys revoke {key.name}`, then create another"
        )
    refuse_more_than_own(ctx, key.permissions, f"rotate the key {key.name}")
    refuse_others_secret(ctx, key, await acting_member(connection, ctx))
    return key


async def revoke_key(ctx: Context, id_or_name: str, *, of_member: str = "") -> Key:
    """Make a key useless, at once here and within a second at every gateway worker; by name also those that it replaced.

    `of_member` finds that member's keys alone. Raises KeyNotFoundError.
    """
    async with ctx.db.transaction() as connection:
        found = await store.keys_to_revoke(connection, ctx.project, id_or_name, of_member)
        if not found:
            raise _not_found(id_or_name)
        await notify(connection, SNAPSHOT)
        revoked_ns = ctx.clock.now_ns()
        revoked = [msgspec.structs.replace(key, revoked_ns=revoked_ns) for key in found]
        for key in found:
            await store.set_revoked(connection, ctx.project, key.id, revoked_ns)
        for key, after in zip(found, revoked, strict=True):
            await audit.record(
                connection, ctx, action="keys.revoke", object_kind="key", object_id=key.id, before=key, after=after
            )
    return max(revoked, key=lambda key: (key.replaced_ns is None, key.created_ns))


async def get_key(ctx: Context, id_or_name: str, *, of_member: str = "") -> tuple[Key, str]:
    """One key, and the id of the one that took its place, if any; that member's alone, where one is given.

    Raises KeyNotFoundError.
    """
    async with ctx.db.connection() as connection:
        key = await store.get_key(connection, ctx.project, id_or_name, of_member)
        if key is None:
            raise KeyNotFoundError(
                f"no key has the id or name {id_or_name!r:.100}",
                next_step="`flyball keys list` shows all keys, /account/keys your own",
            )
        return key, await store.successor(connection, ctx.project, key.id)


def _not_found(id_or_name: str) -> KeyNotFoundError:
    return KeyNotFoundError(
        f"no key in use has the id or name {id_or_name!r:.100}",
        next_step="`flyball keys list` shows all keys, /account/keys your own",
    )


async def list_keys(
    ctx: Context, cursor: str = "", limit: int | None = None, which: KeyFilter = EVERY_KEY
) -> Page[Key]:
    """The project's keys, those that have ended too, newest first."""
    size = page_size(limit)
    before = decode_cursor(cursor, int, str) if cursor else None
    async with ctx.db.connection() as connection:
        found = await store.newest_keys(
            connection,
            ctx.project,
            which,
            now_ns=ctx.clock.now_ns(),
            before=(before[0], before[1]) if before else None,
            most=size + 1,
        )
    last = found[size - 1] if len(found) > size else None
    return Page(items=tuple(found[:size]), next=encode_cursor(last.created_ns, last.id) if last else None)


async def active_keys(connection: Connection) -> tuple[ActiveKey, ...]:
    """The keys of every project that have not ended."""
    return await store.active_keys(connection)


async def authenticate_key(ctx: Context, presented: Secret, address: str = "") -> tuple[Actor, str] | None:
    """Whose key this is, and the project it acts in; None for one that is unknown, revoked, expired, or used from elsewhere.

    Looked up by the hash of the whole key, so neither its beginning nor the time taken says anything. `address` is the
    client's, as far as the gateway knows it.
    """
    if len(presented.reveal()) > LONGEST_TOKEN:
        return None
    hash_ = token_hash(presented.reveal())
    async with ctx.db.across_projects().connection() as connection:
        key = await store.key_by_hash(connection, hash_)
    now_ns, refusals = ctx.clock.now_ns(), refusals_of(ctx.db)
    if key is None:
        if presented.reveal().startswith(KEY_PREFIX):
            refusals.note_hash(hash_, now_ns, address)
        return None
    if reason := key.refused(now_ns, address):
        refusals.note(key, reason, now_ns, address)
        return None
    uses_of(ctx.db.across_projects()).note(key, now_ns, address)
    actor = Actor(id=key.id, kind="key", name=key.name, permissions=key.permissions, limited=key.is_limited)
    return actor, key.project
