"""The HTTP face of keys: parse, one verb, answer."""

import msgspec

from flyball.kit.paging import Page
from flyball.surface.http import Body, ContextDep, Router

from . import keys
from .records import Key

router = Router("/api", tag="projects")


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    name: str
    role: str = "application"


class CreatedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made. `key` is the secret itself: it is shown here and never again."""

    key: str
    id: str
    name: str
    prefix: str
    role: str
    permissions: tuple[str, ...]


@router.get("/keys", permission="keys.read", returns=Page[Key])
async def list_keys(ctx: ContextDep, cursor: str = "", limit: int = 50) -> Page[Key]:
    """The project's keys, revoked ones too, newest first."""
    return await keys.list_keys(ctx, cursor, limit)


@router.post("/keys", permission="keys.write", returns=CreatedKey, status=201)
async def create_key(ctx: ContextDep, new: NewKey = Body(NewKey)) -> CreatedKey:
    """Make a key. It has no more permissions than the caller has."""
    key, secret = await keys.create_key(ctx, new.name, new.role)
    return CreatedKey(
        key=secret.reveal(), id=key.id, name=key.name, prefix=key.prefix, role=key.role, permissions=key.permissions
    )


@router.delete("/keys/{id_or_name}", permission="keys.write", returns=Key)
async def revoke_key(ctx: ContextDep, id_or_name: str) -> Key:
    """Revoke a key, by its id or its name."""
    return await keys.revoke_key(ctx, id_or_name)
