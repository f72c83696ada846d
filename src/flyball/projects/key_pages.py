"""The keys as a page. Parse, one verb, render; a key's secret is shown once."""

import msgspec

from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import keys
from .records import Key
from .roles import ROLES

pages = Pages(tag="projects", section="/keys")


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/keys.html shows. `made` is the secret of a key just made, shown in this one answer."""

    keys: tuple[Key, ...]
    next: str | None
    first: bool
    roles: tuple[str, ...]
    made: str = ""
    made_name: str = ""


@pages.get("/keys", permission="keys.read", template="projects/keys.html")
async def list_keys(ctx: ContextDep, cursor: str = "") -> KeyList:
    """The project's keys."""
    found = await keys.list_keys(ctx, cursor)
    return KeyList(keys=found.items, next=found.next, first=not cursor, roles=tuple(ROLES))


@pages.post("/keys", permission="keys.write", template="projects/keys.html")
async def create_key(ctx: ContextDep, form: FormDep) -> KeyList:
    """Make a key and show its secret, in this one answer."""
    made = await keys.create_key(ctx, form.get("name", ""), form.get("role", "application"))
    found = await keys.list_keys(ctx)
    return KeyList(
        keys=found.items,
        next=found.next,
        first=True,
        roles=tuple(ROLES),
        made=made.secret.reveal(),
        made_name=made.key.name,
    )


@pages.post("/keys/{key_id}/revocation", permission="keys.write")
async def revoke_key(ctx: ContextDep, key_id: str) -> See:
    """Make a key useless, everywhere within a second."""
    key = await keys.revoke_key(ctx, key_id)
    return See("/keys", f"The key {key.name} is revoked.")
