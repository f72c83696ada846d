"""The HTTP face of one's own personal keys: parse, one verb, answer. Only for members who are signed in."""

from typing import Literal

import msgspec

from flyball.kit.paging import Page
from flyball.surface.http import AUTHENTICATED, Body, ContextDep, Router

from . import account_keys
from .key_api import CreatedKey, RotatedKey, Rotation, created
from .key_records import Key, KeyFilter, KeyLimits, MadeKey
from .keys import KeyGrant

router = Router("/api/account", tag="projects")


class NewOwnKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A personal key of one's own, with a role or with scopes; of neither, it may do all that one may oneself.

    The other fields are those of any key.
    """

    name: str
    role: str = ""
    scopes: tuple[str, ...] = ()
    expires: str = ""
    models: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@router.get("/keys", permission=AUTHENTICATED, returns=Page[Key])
async def list_own_keys(
    ctx: ContextDep, cursor: str = "", limit: int = 50, *, text: str = "", state: Literal["", "usable", "ended"] = ""
) -> Page[Key]:
    """One's own personal keys of the current project, those that have ended too, newest first."""
    return await account_keys.list_own_keys(ctx, cursor, limit, KeyFilter(text=text, state=state))


@router.post("/keys", permission=AUTHENTICATED, returns=CreatedKey, status=201)
async def create_own_key(ctx: ContextDep, new: NewOwnKey = Body(NewOwnKey)) -> CreatedKey:
    """Make a personal key of one's own. At every use it may do what one may oneself at that moment, or less."""
    limits = KeyLimits(models=new.models, functions=new.functions, addresses=new.addresses)
    grant = KeyGrant(role=new.role, scopes=new.scopes, expires=new.expires, limits=limits)
    return created(await account_keys.create_own_key(ctx, new.name, grant))


@router.get("/keys/{id_or_name}", permission=AUTHENTICATED, returns=Key)
async def show_own_key(ctx: ContextDep, id_or_name: str) -> Key:
    """One of one's own keys, by its id or its name."""
    return (await account_keys.get_own_key(ctx, id_or_name))[0]


@router.post("/keys/{id_or_name}/rotations", permission=AUTHENTICATED, returns=RotatedKey, status=201)
async def rotate_own_key(ctx: ContextDep, id_or_name: str, rotation: Rotation = Body(Rotation)) -> RotatedKey:
    """Put a new key of the same name and rights in the place of one of one's own, which works on for the overlap."""
    rotated = await account_keys.rotate_own_key(ctx, id_or_name, rotation.overlap, rotation.expires)
    return RotatedKey(new=created(MadeKey(rotated.key, rotated.secret)), old=rotated.old)


@router.delete("/keys/{id_or_name}", permission=AUTHENTICATED, returns=Key)
async def revoke_own_key(ctx: ContextDep, id_or_name: str) -> Key:
    """Revoke one of one's own keys by its id; by its name, also those that it replaced."""
    return await account_keys.revoke_own_key(ctx, id_or_name)
