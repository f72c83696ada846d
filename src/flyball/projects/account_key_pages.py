"""One's own personal keys as pages: the list, the form, and one key. Parse, one verb, render; a key's secret is shown once."""

import msgspec

from flyball.kit.errors import FlyballError
from flyball.kit.secrets import Secret
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import AUTHENTICATED, ContextDep

from . import account_keys, keys
from .key_pages import KeyForm, KeyPage, ShownKey, filter_of, givable_scopes, grant_of, shown
from .key_records import Key, KeyFilter
from .roles import ROLES, exceeding

pages = Pages(tag="projects", section="/account")


class OwnKeyList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/account-keys.html shows."""

    keys: tuple[ShownKey, ...]
    next: str | None
    first: bool
    wanted: KeyFilter
    filtered: bool


@pages.get("/account/keys", permission=AUTHENTICATED, template="projects/account-keys.html")
async def list_own_keys(ctx: ContextDep, cursor: str = "", text: str = "", state: str = "") -> OwnKeyList:
    """One's own keys of the current project."""
    wanted = filter_of(text, state, "")
    found = await account_keys.list_own_keys(ctx, cursor, which=wanted)
    return OwnKeyList(
        keys=tuple(shown(ctx, key) for key in found.items),
        next=found.next,
        first=not cursor,
        wanted=wanted,
        filtered=wanted != KeyFilter(),
    )


@pages.get("/account/keys/new", permission=AUTHENTICATED, template="projects/key-form.html")
async def show_form(ctx: ContextDep) -> KeyForm:
    """The form with everything that a key can have."""
    return _form(ctx, {})


@pages.post("/account/keys/new", permission=AUTHENTICATED, template="projects/key-form.html")
async def create_own_key(ctx: ContextDep, form: FormDep) -> KeyForm:
    """Make a personal key; where something is wrong, the form as it was filled in says what."""
    try:
        made = await account_keys.create_own_key(ctx, form.get("name", ""), grant_of(form))
    except FlyballError as error:
        return msgspec.structs.replace(_form(ctx, form), wrong=str(error))
    return msgspec.structs.replace(_form(ctx, form), made=made.secret.reveal(), made_id=made.key.id)


def _form(ctx: ContextDep, filled: dict[str, str]) -> KeyForm:
    account_keys.own_member(ctx)
    return KeyForm(
        own=True,
        roles=tuple(role for role, gives in ROLES.items() if not exceeding(gives, ctx.actor.permissions)),
        scopes=givable_scopes(ctx),
        may_be_personal=True,
        filled=filled,
    )


@pages.get("/account/keys/{key_id}", permission=AUTHENTICATED, template="projects/key.html")
async def show_own_key(ctx: ContextDep, key_id: str) -> KeyPage:
    """One of one's own keys."""
    return await _key_page(ctx, key_id)


async def _key_page(ctx: ContextDep, key_id: str, secret: Secret | None = None, old: Key | None = None) -> KeyPage:
    key, successor = await account_keys.get_own_key(ctx, key_id)
    return KeyPage(
        own=True,
        shown=shown(ctx, key),
        successor=successor,
        may_write=True,
        overlap=keys.DEFAULT_OVERLAP,
        made=secret.reveal() if secret else "",
        old=old,
    )


@pages.post("/account/keys/{key_id}/rotation", permission=AUTHENTICATED, template="projects/key.html")
async def rotate_own_key(ctx: ContextDep, key_id: str, form: FormDep) -> KeyPage | See:
    """Put a new key in the place of this one and show its secret, in this one answer."""
    key, _ = await account_keys.get_own_key(ctx, key_id)
    try:
        rotated = await account_keys.rotate_own_key(
            ctx, key.id, form.get("overlap") or keys.DEFAULT_OVERLAP, form.get("expires", "")
        )
    except FlyballError as error:
        return See(f"/account/keys/{key.id}", str(error), tone="bad")
    return await _key_page(ctx, rotated.key.id, rotated.secret, rotated.old)


@pages.post("/account/keys/{key_id}/revocation", permission=AUTHENTICATED)
async def revoke_own_key(ctx: ContextDep, key_id: str) -> See:
    """Make one of one's own keys useless, everywhere within a second."""
    key = await account_keys.revoke_own_key(ctx, key_id)
    return See("/account/keys", f"The key {key.name} is revoked.")
