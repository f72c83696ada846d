"""The keys as pages: the list, the form with everything a key can have, and one key. A key's secret is shown once."""

import re
from typing import Literal, cast

import msgspec

from flyball.kit.errors import FlyballError
from flyball.kit.secrets import Secret, hiding
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep, permits

from . import keys, own_roles
from .key_records import Key, KeyFilter, KeyLimits
from .keys import KeyGrant
from .roles import PERMISSIONS

pages = Pages(tag="projects", section="/keys")

_SCOPE = "scope."
_SEPARATORS = re.compile(r"[,\s]+")
_STATES = ("usable", "ended")
_KINDS = ("service", "personal")


class ShownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key, how it stands, and what narrows it, in a few words."""

    key: Key
    state: str
    limits: str


@hiding("made")
class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/keys.html shows. `made` is the secret of a key just made, shown in this one answer."""

    keys: tuple[ShownKey, ...]
    next: str | None
    first: bool
    wanted: KeyFilter
    filtered: bool
    roles: tuple[str, ...]
    may_write: bool
    made: str = ""
    made_name: str = ""


@hiding("made")
class KeyForm(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/key-form.html shows: the form, what is wrong with what was filled in, or the secret just made.

    `scopes` are the permissions that the caller can give; `filled` is what was filled in, by the fields' names. `own`: it is
    for a personal key among one's own.
    """

    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    may_be_personal: bool
    filled: dict[str, str]
    own: bool = False
    wrong: str = ""
    made: str = ""
    made_id: str = ""


@hiding("made")
class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/key.html shows. `made` is the secret of the key that has just taken another's place; `own`: among one's own."""

    shown: ShownKey
    successor: str
    may_write: bool
    overlap: str
    own: bool = False
    made: str = ""
    old: Key | None = None


@pages.get("/keys", permission="keys.read", template="projects/keys.html")
async def list_keys(ctx: ContextDep, cursor: str = "", text: str = "", state: str = "", kind: str = "") -> KeyList:
    """The project's keys."""
    return await _key_list(ctx, cursor, filter_of(text, state, kind))


def filter_of(text: str, state: str, kind: str) -> KeyFilter:
    """What was asked for; what nobody could have asked for counts as nothing."""
    return KeyFilter(
        text=text,
        state=cast("Literal['', 'usable', 'ended']", state if state in _STATES else ""),
        kind=cast("Literal['', 'service', 'personal']", kind if kind in _KINDS else ""),
    )


async def _key_list(ctx: ContextDep, cursor: str, wanted: KeyFilter, made: str = "", made_name: str = "") -> KeyList:
    found = await keys.list_keys(ctx, cursor, which=wanted)
    return KeyList(
        keys=tuple(shown(ctx, key) for key in found.items),
        next=found.next,
        first=not cursor,
        wanted=wanted,
        filtered=wanted != KeyFilter(),
        roles=await _roles(ctx),
        may_write=ctx.actor.may("keys.write"),
        made=made,
        made_name=made_name,
    )


async def _roles(ctx: ContextDep) -> tuple[str, ...]:
    return tuple(role.name for role in await own_roles.list_roles(ctx))


def shown(ctx: ContextDep, key: Key) -> ShownKey:
    """A key as lists show it."""
    state = key.state(ctx.clock.now_ns())
    words = []
    if key.models or key.functions:
        words.append(_some("model", key.models) + ", " + _some("function", key.functions))
    if key.addresses:
        words.append(_some("address", key.addresses))
    return ShownKey(key=key, state="active" if state == "usable" else state, limits="; ".join(words))


def _some(noun: str, names: tuple[str, ...]) -> str:
    plural = "es" if noun.endswith("s") else "s"
    if "*" in names:
        return f"every {noun}"
    return names[0] if len(names) == 1 else f"{len(names) or 'no'} {noun}{plural}"


@pages.post("/keys", permission="keys.write", template="projects/keys.html")
async def create_key(ctx: ContextDep, form: FormDep) -> KeyList:
    """Make a key of a role and show its secret, in this one answer."""
    made = await keys.create_key(ctx, form.get("name", ""), form.get("role", ""))
    return await _key_list(ctx, "", KeyFilter(), made.secret.reveal(), made.key.name)


@pages.get("/keys/new", permission="keys.write", template="projects/key-form.html")
async def show_form(ctx: ContextDep) -> KeyForm:
    """The form with everything that a key can have."""
    return await _form(ctx, {})


@pages.post("/keys/new", permission="keys.write", template="projects/key-form.html")
async def create_limited_key(ctx: ContextDep, form: FormDep) -> KeyForm:
    """Make a key with scopes, an expiry, limits; where something is wrong, the form as it was filled in says what."""
    grant = grant_of(form)
    if not (grant.role or grant.scopes or grant.personal):
        return msgspec.structs.replace(await _form(ctx, form), wrong="Choose a role, or at least one scope.")
    try:
        made = await keys.create_key(ctx, form.get("name", ""), grant=grant)
    except FlyballError as error:
        return msgspec.structs.replace(await _form(ctx, form), wrong=str(error))
    return msgspec.structs.replace(await _form(ctx, form), made=made.secret.reveal(), made_id=made.key.id)


def grant_of(form: dict[str, str]) -> KeyGrant:
    """What a key is to be given, as it was filled in."""
    return KeyGrant(
        role=form.get("role", ""),
        scopes=() if form.get("role") else tuple(name[len(_SCOPE) :] for name in form if name.startswith(_SCOPE)),
        expires=form.get("expires", ""),
        limits=KeyLimits(
            models=_listed(form, "models"), functions=_listed(form, "functions"), addresses=_listed(form, "addresses")
        ),
        personal=form.get("kind") == "personal",
    )


def _listed(form: dict[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, _SEPARATORS.split(form.get(name, ""))))


async def _form(ctx: ContextDep, filled: dict[str, str]) -> KeyForm:
    return KeyForm(
        roles=await _roles(ctx),
        scopes=givable_scopes(ctx),
        may_be_personal=ctx.actor.kind == "member",
        filled=filled,
    )


def givable_scopes(ctx: ContextDep) -> tuple[str, ...]:
    """The permissions that the caller can give a key."""
    return tuple(sorted(scope for scope in PERMISSIONS if permits(ctx.actor.permissions, scope)))


@pages.get("/keys/{key_id}", permission="keys.read", template="projects/key.html")
async def show_key(ctx: ContextDep, key_id: str) -> KeyPage:
    """One key."""
    return await _key_page(ctx, key_id)


async def _key_page(ctx: ContextDep, key_id: str, secret: Secret | None = None, old: Key | None = None) -> KeyPage:
    key, successor = await keys.get_key(ctx, key_id)
    return KeyPage(
        shown=shown(ctx, key),
        successor=successor,
        may_write=ctx.actor.may("keys.write"),
        overlap=keys.DEFAULT_OVERLAP,
        made=secret.reveal() if secret else "",
        old=old,
    )


@pages.post("/keys/{key_id}/rotation", permission="keys.write", template="projects/key.html")
async def rotate_key(ctx: ContextDep, key_id: str, form: FormDep) -> KeyPage | See:
    """Put a new key in the place of this one and show its secret, in this one answer."""
    try:
        rotated = await keys.rotate_key(
            ctx, key_id, form.get("overlap") or keys.DEFAULT_OVERLAP, form.get("expires", "")
        )
    except FlyballError as error:
        return See(f"/keys/{key_id}", str(error), tone="bad")
    return await _key_page(ctx, rotated.key.id, rotated.secret, rotated.old)


@pages.post("/keys/{key_id}/revocation", permission="keys.write")
async def revoke_key(ctx: ContextDep, key_id: str) -> See:
    """Make a key useless, everywhere within a second."""
    key = await keys.revoke_key(ctx, key_id)
    return See("/keys", f"The key {key.name} is revoked.")
