"""The verbs of keys: how programs get to call. Knows the role table; people are in `members`."""

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.errors import InvalidInputError
from flyball.kit.ids import new_id
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size
from flyball.kit.secrets import Secret, new_token, token_hash

from . import key_store as store
from .errors import KeyNotFoundError, NameTakenError, UnknownRoleError
from .records import ActiveKey, Key, MadeKey
from .roles import ROLES, granted

KEY_PREFIX = "flyball_"  # so that scanners for leaked secrets can find one
_SHOWN = len(KEY_PREFIX) + 6
_LONGEST_NAME = 100


async def create_key(ctx: Context, name: str, role: str = "application") -> MadeKey:
    """Make a key; its secret is in the answer and nowhere else.

    Raises:
        InvalidInputError: the name is empty, too long or not printable.
        UnknownRoleError: there is no such role.
        NameTakenError: a key in use has this name.
    """
    _check_name(name)
    if role not in ROLES:
        raise UnknownRoleError(f"there is no role {role!r:.60}", next_step=f"use one of {', '.join(sorted(ROLES))}")
    secret = Secret(KEY_PREFIX + new_token())
    now_ns = ctx.clock.now_ns()
    key = Key(
        id=new_id("key", now_ns),
        project=ctx.project,
        name=name,
        prefix=secret.reveal()[:_SHOWN],
        role=role,
        permissions=tuple(sorted(granted(role, ctx.actor.permissions))),
        created_by=ctx.actor.id,
        created_ns=now_ns,
    )
    async with ctx.db.transaction() as connection:
        if not await store.insert_key(connection, key, token_hash(secret.reveal())):
            raise NameTakenError(
                f"there is a key named {name!r} already",
                next_step=f"choose another name, or `flyball keys revoke {name}` first",
            )
        await notify(connection, SNAPSHOT)
        await audit.record(connection, ctx, action="keys.create", object_kind="key", object_id=key.id, after=key)
    return MadeKey(key, secret)


async def revoke_key(ctx: Context, id_or_name: str) -> Key:
    """Make a key useless, at once here and within a second at every gateway worker."""
    async with ctx.db.transaction() as connection:
        key = await store.usable_key(connection, ctx.project, id_or_name)
        if key is None:
            raise KeyNotFoundError(
                f"no key in use has the id or name {id_or_name!r:.100}", next_step="`flyball keys list` shows all keys"
            )
        revoked_ns = ctx.clock.now_ns()
        await store.set_revoked(connection, key.id, revoked_ns)
        await notify(connection, SNAPSHOT)
        after = msgspec.structs.replace(key, revoked_ns=revoked_ns)
        await audit.record(
            connection, ctx, action="keys.revoke", object_kind="key", object_id=key.id, before=key, after=after
        )
    return after


async def list_keys(ctx: Context, cursor: str = "", limit: int | None = None) -> Page[Key]:
    """The project's keys, revoked ones too, newest first."""
    size = page_size(limit)
    before = decode_cursor(cursor, int, str) if cursor else None
    async with ctx.db.connection() as connection:
        found = await store.newest_keys(
            connection, ctx.project, before=(before[0], before[1]) if before else None, most=size + 1
        )
    last = found[size - 1] if len(found) > size else None
    return Page(items=tuple(found[:size]), next=encode_cursor(last.created_ns, last.id) if last else None)


async def active_keys(connection: Connection) -> tuple[ActiveKey, ...]:
    """Every usable key of every project, for the gateway's snapshot."""
    return await store.active_keys(connection)


async def authenticate_key(ctx: Context, presented: Secret) -> tuple[Actor, str] | None:
    """Whose key this is, and the project it acts in; None for one that is unknown or revoked.

    Looked up by the hash of the whole key, so neither its beginning nor the time taken says anything.
    """
    async with ctx.db.across_projects().connection() as connection:
        key = await store.key_by_hash(connection, token_hash(presented.reveal()))
    if key is None:
        return None
    return Actor(id=key.id, kind="key", name=key.name, permissions=key.permissions), key.project


def _check_name(name: str) -> None:
    if not name or name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise InvalidInputError(
            f"{name!r:.120} is no name for a key",
            next_step=f"use 1 to {_LONGEST_NAME} printable characters without spaces at the ends",
        )
