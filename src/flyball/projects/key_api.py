"""The HTTP face of keys: parse, one verb, answer."""

from typing import Literal

import msgspec

from flyball.kit.paging import Page
from flyball.kit.secrets import hiding
from flyball.surface.http import Body, ContextDep, Router

from . import keys
from .key_records import Key, KeyFilter, KeyKind, KeyLimits, MadeKey
from .keys import KeyGrant

router = Router("/api", tag="projects")


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make, with a role or with scopes: permissions chosen one by one. Empty `expires`: never.

    `expires` is a time from now (`90d`, `12h`) or a date (`2027-01-31`, its beginning in UTC). Naming models or functions
    limits calls to what is named; `*` is all of them. Addresses are single ones or networks. A personal key is the caller's;
    the owner of the data directory names its `member`.
    """

    name: str
    role: str = ""
    scopes: tuple[str, ...] = ()
    kind: KeyKind = "service"
    member: str = ""
    expires: str = ""
    models: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to rotate a key: how long the old one works on (`24h`, `0`), and when the new one expires; empty: as the old one would have."""

    overlap: str = keys.DEFAULT_OVERLAP
    expires: str = ""


@hiding("key")
class CreatedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made. `key` is the secret itself: it is shown here and never again."""

    key: str
    id: str
    name: str
    kind: KeyKind
    member_name: str
    prefix: str
    role: str
    permissions: tuple[str, ...]
    models: tuple[str, ...]
    functions: tuple[str, ...]
    addresses: tuple[str, ...]
    expires_ns: int | None
    replaces: str | None


class RotatedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key's successor, whose secret is shown here and never again, and the old one, which works until it expires."""

    new: CreatedKey
    old: Key


@router.get("/keys", permission="keys.read", returns=Page[Key])
async def list_keys(
    ctx: ContextDep,
    cursor: str = "",
    limit: int = 50,
    *,
    text: str = "",
    state: Literal["", "usable", "ended"] = "",
    kind: Literal["", "service", "personal"] = "",
) -> Page[Key]:
    """The project's keys, those that have ended too, newest first; those whose name has `text` in it, where asked."""
    return await keys.list_keys(ctx, cursor, limit, KeyFilter(text=text, state=state, kind=kind))


@router.post("/keys", permission="keys.write", returns=CreatedKey, status=201)
async def create_key(ctx: ContextDep, new: NewKey = Body(NewKey)) -> CreatedKey:
    """Make a key. It has no more permissions than the caller has, nor fewer limits than a key that makes it."""
    grant = KeyGrant(
        role=new.role,
        scopes=new.scopes,
        expires=new.expires,
        limits=KeyLimits(models=new.models, functions=new.functions, addresses=new.addresses),
        personal=new.kind == "personal",
        member=new.member,
    )
    return created(await keys.create_key(ctx, new.name, grant=grant))


def created(made: MadeKey) -> CreatedKey:
    """The answer that shows a key's secret."""
    key = made.key
    same = {name: getattr(key, name) for name in CreatedKey.__struct_fields__ if name != "key"}
    return CreatedKey(key=made.secret.reveal(), **same)


@router.get("/keys/{id_or_name}", permission="keys.read", returns=Key)
async def show_key(ctx: ContextDep, id_or_name: str) -> Key:
    """One key, by its id or its name."""
    return (await keys.get_key(ctx, id_or_name))[0]


@router.post("/keys/{id_or_name}/rotations", permission="keys.write", returns=RotatedKey, status=201)
async def rotate_key(ctx: ContextDep, id_or_name: str, rotation: Rotation = Body(Rotation)) -> RotatedKey:
    """Put a new key of the same name and rights in the place of one, which works on for the overlap."""
    rotated = await keys.rotate_key(ctx, id_or_name, rotation.overlap, rotation.expires)
    return RotatedKey(new=created(MadeKey(rotated.key, rotated.secret)), old=rotated.old)


@router.delete("/keys/{id_or_name}", permission="keys.write", returns=Key)
async def revoke_key(ctx: ContextDep, id_or_name: str) -> Key:
    """Revoke a key by its id; by its name, also those that it replaced."""
    return await keys.revoke_key(ctx, id_or_name)
