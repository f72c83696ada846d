"""What a key may be given, and by whom: never more than its maker has, in rights, in time, in names or in addresses."""

import string
from collections.abc import Iterable

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.addresses import canonical_network, within
from flyball.kit.errors import InvalidInputError
from flyball.kit.names import name_key, problem_of

from . import key_store, store
from .errors import ExceedsOwnRightsError, InvalidNameError, MemberNotFoundError, UnknownPermissionError
from .granting import permissions_of, refuse_more_than_own
from .key_records import ALL, Key, KeyLimits
from .records import Member
from .roles import PERMISSIONS, cut, unknown

_MOST_NAMES = 200
_LONGEST_NAME = 200
_FIRST_MEMBER = "administrator"


def check_key_name(name: str) -> None:
    """Raise InvalidNameError where this cannot be a key's name: what a person's may be, with any punctuation of ASCII."""
    plain = "".join("-" if char in string.punctuation else char for char in name)
    if problem := problem_of(plain):
        raise InvalidNameError(f"{name!r:.120} cannot be the name of a key: {problem}", next_step="choose another name")


async def permissions_for(
    connection: Connection, ctx: Context, role: str, scopes: tuple[str, ...], member: Member | None
) -> tuple[str, ...]:
    """What a key of a role, or with scopes chosen one by one, is given; of a personal key of neither, all that its member has.

    A role is cut to what the actor has; a scope beyond it is refused by name. A member's key has no more than the member.

    Raises:
        InvalidInputError: both were given. UnknownRoleError, UnknownPermissionError: there is no such role or permission.
        ExceedsOwnRightsError: the actor, or the member, lacks a scope.
    """
    most = ctx.actor.permissions if member is None else cut(ctx.actor.permissions, frozenset(member.permissions))
    if role and scopes:
        raise InvalidInputError("a key has a role or scopes of its own, not both", next_step="leave one of them out")
    if not scopes:
        wanted = await permissions_of(connection, ctx, role) if role else most
        return tuple(sorted(cut(wanted, most)))
    if wrong := unknown(scopes):
        raise UnknownPermissionError(
            f"there is no permission {wrong[0]!r:.60}",
            next_step=f"use some of {', '.join(sorted(PERMISSIONS))}; or <noun>.* for all of a noun's",
        )
    refuse_more_than_own(ctx, scopes, "make this key")
    if member is not None and (beyond := _beyond(scopes, frozenset(member.permissions))):
        raise ExceedsOwnRightsError(
            f"{member.name} lacks {beyond}, and a personal key has no more than its member",
            next_step=f"leave it out, or `flyball members set-role {member.name} ROLE`",
        )
    return tuple(sorted(set(scopes)))


def _beyond(scopes: Iterable[str], most: frozenset[str]) -> str:
    kept = cut(scopes, most)
    return ", ".join(sorted(scope for scope in scopes if scope not in kept))


def checked(limits: KeyLimits) -> KeyLimits:
    """The limits in canonical form. Raises InvalidInputError, naming what is wrong."""
    return KeyLimits(
        models=_names("model", limits.models),
        functions=_names("function", limits.functions),
        addresses=_networks(limits.addresses),
    )


def _names(what: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > _MOST_NAMES:
        raise InvalidInputError(f"{len(names)} names of {what}s; a key has at most {_MOST_NAMES}")
    for name in names:
        if not name or name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise InvalidInputError(
                f"{name!r:.120} is no name of a {what}", next_step=f"`flyball {what}s list` shows them; {ALL!r} is all"
            )
    return tuple(sorted(set(names)))


def _networks(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if len(addresses) > _MOST_NAMES:
        raise InvalidInputError(f"{len(addresses)} addresses; a key has at most {_MOST_NAMES}")
    found = []
    for address in addresses:
        try:
            found.append(canonical_network(address))
        except ValueError as error:
            raise InvalidInputError(
                f"{address!r:.80} is no address or network: {error!s:.200}",
                next_step="write such as 203.0.113.7, 10.1.0.0/16 or 2001:db8::/32",
            ) from None
    return tuple(dict.fromkeys(found))


async def member_for(connection: Connection, ctx: Context, name: str) -> Member:
    """Whose a personal key will be: the acting member's; the owner of the data directory may name any, else the first.

    Raises MemberNotFoundError, ExceedsOwnRightsError.
    """
    actor = ctx.actor
    found = None
    if actor.kind == "member":
        found = await store.get_member_by_id(connection, ctx.project, actor.id)
    elif actor.kind == "key" and (own := await key_store.get_key(connection, ctx.project, actor.id)) and own.member:
        found = await store.get_member_by_id(connection, ctx.project, own.member)
    elif actor.kind == "local":
        name = name or _FIRST_MEMBER
        found = await store.get_member(connection, ctx.project, name_key(name))
    if found is None:
        raise MemberNotFoundError(
            f"no member of this project is named {name!r:.100}" if name else f"{actor.name} is no member",
            next_step="`flyball members list` shows all",
        )
    if name and name_key(name) != name_key(found.name):
        raise ExceedsOwnRightsError(
            f"a personal key of {name!r:.100} is theirs to make", next_step="leave the member out: it will be yours"
        )
    return found


async def refuse_wider_than_own(connection: Connection, ctx: Context, key: Key) -> None:
    """Raise ExceedsOwnRightsError where a key would make one with fewer limits than its own, or one that outlives it."""
    if ctx.actor.kind != "key":
        return
    own = await key_store.get_key(connection, ctx.project, ctx.actor.id)
    if own is None or (wider := _wider(own, key)):
        what = wider if own else "limits that are not known"
        raise ExceedsOwnRightsError(
            f"the key {ctx.actor.name!r} may not make a key with {what}", next_step="give it no more than its maker has"
        )


def _wider(own: Key, key: Key) -> str:
    if own.expires_ns is not None and (key.expires_ns is None or key.expires_ns > own.expires_ns):
        return "a later expiry than its own"
    if own.addresses and not (key.addresses and all(within(one, own.addresses) for one in key.addresses)):
        return "addresses beyond its own"
    if not (own.models or own.functions):
        return ""
    if not (key.models or key.functions):
        return "models and functions beyond its own"
    for what, new, have in (("models", key.models, own.models), ("functions", key.functions, own.functions)):
        if ALL not in have and not set(new) <= set(have):
            return f"{what} beyond its own"
    return ""


def refuse_others_secret(ctx: Context, key: Key, acting_member: str | None) -> None:
    """Raise ExceedsOwnRightsError where somebody would be shown the new secret of another member's personal key."""
    if key.member is None or ctx.actor.kind == "local" or key.member == acting_member:
        return
    raise ExceedsOwnRightsError(
        f"{key.name!r} is a personal key of {key.member_name}, and its new secret would be shown to {ctx.actor.name}",
        next_step=f"have {key.member_name} rotate it, or `flyball keys revoke {key.name}`",
    )


async def acting_member(connection: Connection, ctx: Context) -> str | None:
    """The id of the member who acts: signed in, or by a personal key; None where it is somebody else."""
    if ctx.actor.kind == "member":
        return ctx.actor.id
    if ctx.actor.kind == "key":
        own = await key_store.get_key(connection, ctx.project, ctx.actor.id)
        return own.member if own else None
    return None
