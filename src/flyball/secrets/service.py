"""The verbs of secrets: set, list, remove; what a project's secrets stand for in this process. No verb tells a person a value."""

import re
from collections.abc import Collection, Iterable, Mapping

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.infra.secrets.hosts import bound_to
from flyball.infra.secrets.references import NAME, Found, LookUp, Missing, parse
from flyball.infra.secrets.safe import Sealed, seal
from flyball.kit.secrets import Secret

from . import store
from .errors import SecretInvalidError, SecretNotFoundError
from .keys import data_key_in_use
from .records import StoredSecret

_LONGEST_VALUE = 64 * 1024


async def set_secret(ctx: Context, name: str, value: Secret, hosts: Iterable[str]) -> StoredSecret:
    """Keep a value under a name, bound to the hosts to which it may be sent; nothing of the version before stays.

    It is in force in every process within a second. Changing the hosts needs the value again.

    Raises:
        SecretInvalidError: the name or the value is none.
        HostInvalidError: a host is none, or there are none; the message names those that models want.
        MasterKeyError: there is no master key, or another one.
    """
    _check(name, value)
    now_ns = ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        await store.lock(connection, ctx.project)
        bound = bound_to(hosts)
        before = await store.get(connection, ctx.project, name)
        version = await store.last_version(connection, ctx.project, name) + 1
        key, wrap = await data_key_in_use(connection, ctx)
        row = Sealed(ctx.project, name, version, bound, b"", wrap)
        await store.put(connection, row._replace(sealed=seal(value, key, row)), now_ns, ctx.actor.id)
        after = await store.get(connection, ctx.project, name)
        assert after is not None  # noqa: S101 -- written above
        await notify(connection, SNAPSHOT)
        await audit.record(
            connection, ctx, action="secrets.set", object_kind="secret", object_id=name, before=before, after=after
        )
    return after


async def remove_secret(ctx: Context, name: str) -> StoredSecret:
    """Forget a value. Models that refer to it cannot be called any more, within a second. Raises SecretNotFoundError."""
    async with ctx.db.transaction() as connection:
        await store.lock(connection, ctx.project)
        before = await store.get(connection, ctx.project, name)
        if before is None:
            raise SecretNotFoundError(name)
        await store.remove(connection, ctx.project, name, ctx.clock.now_ns())
        await notify(connection, SNAPSHOT)
        await audit.record(
            connection, ctx, action="secrets.remove", object_kind="secret", object_id=name, before=before
        )
    return before


async def list_secrets(ctx: Context) -> tuple[StoredSecret, ...]:
    """The project's secrets by name, without their values."""
    async with ctx.db.connection() as connection:
        return await store.list_all(connection, ctx.project)


async def get_secret(ctx: Context, name: str) -> StoredSecret:
    """One secret, without its value. Raises SecretNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await store.get(connection, ctx.project, name)
    if found is None:
        raise SecretNotFoundError(name)
    return found


async def hosts_wanted(ctx: Context, name: str) -> tuple[str, ...]:
    """Where the project's models would send a secret of that name."""
    async with ctx.db.connection() as connection:
        return await store.hosts_wanted(connection, ctx.project, name)


async def note_uses(connection: Connection, ctx: Context, model: str, uses: Iterable[tuple[str, str]]) -> None:
    """A model refers to these secrets and would send them to these hosts; in the transaction that declares the model."""
    await store.replace_uses(connection, ctx.project, model, uses)


async def look_up(connection: Connection, ctx: Context, texts: Collection[str]) -> LookUp:
    """What references stand for in this process, as a function to ask."""
    names = {found.name for text in texts if (found := parse(text)) and found.kind == "secret"}
    rows = await store.sealed_named(connection, ctx.project, names) if names else []
    opened = await ctx.keyring.safe.open_all(rows)
    stored: Mapping[str, Found | Missing] = {name: answer for (_, name), answer in opened.items()}
    return await ctx.keyring.look_up(texts, stored=stored)


def _check(name: str, value: Secret) -> None:
    if not re.fullmatch(NAME, name):
        raise SecretInvalidError(
            f"{name!r:.120} is no name for a secret",
            next_step="use 1 to 100 letters, digits and . _ -, beginning with a letter or digit",
        )
    text = value.reveal()
    if not text.strip() or len(text.encode("utf-8", "replace")) > _LONGEST_VALUE or not _is_text(text):
        raise SecretInvalidError(
            f"the value of {name!r} is empty, larger than {_LONGEST_VALUE // 1024} KiB, or no text",
            next_step=f"pipe it into `flyball secrets set {name}`",
        )


def _is_text(text: str) -> bool:
    return not any(character < " " and character not in "\t\n\r" for character in text) and text.isprintable() | (
        all(line.isprintable() for line in text.replace("\t", " ").splitlines())
    )
