"""From the names that people use to what a quota is of: keys by their line, members by their id, everything else by its name.

Keys and members have to be there. Functions, models and tags may come later: any name is taken, and what is spelled like it is told.
"""

from difflib import get_close_matches
from typing import NamedTuple

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.names import name_key
from flyball.projects import key_store, owners
from flyball.projects import store as tenants_store
from flyball.projects.errors import KeyNotFoundError, MemberNotFoundError, ProjectNotFoundError
from flyball.projects.records import Organisation

from . import declared_store
from .errors import QuotaInvalidError
from .records import ScopeKind
from .wording import ScopeWords, scope_words


class Place(NamedTuple):
    """What a quota is of. `name` is what people call it; `notes` what they should know of it."""

    organisation: str
    project: str | None
    kind: ScopeKind
    scope: str
    name: str
    notes: tuple[str, ...] = ()


async def find_place(
    connection: Connection,
    ctx: Context,
    text: str,
    *,
    organisation_wide: bool = False,
    ended: bool = False,
    hints: bool = True,
) -> Place:
    """What `key backend`, `project` or `organisation` means here. `ended`: keys and members that are no more are found too.

    `hints`: where no call has named the function, model or tag yet, a note says so, which takes a look at the ledger.

    Raises:
        QuotaInvalidError: nothing can be of this scope.
        KeyNotFoundError, MemberNotFoundError: nobody has the name; says which are spelled alike.
    """
    words = scope_words(text)
    home = await home_of(connection, ctx)
    wide = organisation_wide or words.kind == "organisation"
    project = None if wide else ctx.project
    if words.kind == "key":
        if wide:
            raise QuotaInvalidError("a key belongs to one project", next_step="leave the rest of the organisation out")
        return Place(home.id, project, *await _key(connection, ctx, words, ended=ended))
    if words.kind == "member":
        return Place(home.id, project, *await _member(connection, ctx, words, home, wide=wide))
    if words.kind == "project" and wide:
        raise QuotaInvalidError(
            "every project of the organisation together is the organisation", next_step="say the scope `organisation`"
        )
    return Place(
        home.id, project, words.kind, words.name, words.name, await _unseen(connection, ctx, words) if hints else ()
    )


async def home_of(connection: Connection, ctx: Context) -> Organisation:
    """The organisation of the context's project. Raises ProjectNotFoundError."""
    project = await tenants_store.get_project(connection, ctx.project)
    if project is None:
        raise ProjectNotFoundError("this project is not in use any more", next_step="`flyball projects list`")
    return Organisation(id=project.organisation, name=project.organisation_name, created_ns=project.created_ns)


async def _key(connection: Connection, ctx: Context, words: ScopeWords, *, ended: bool) -> tuple[ScopeKind, str, str]:
    found = await key_store.get_key(connection, ctx.project, words.name)
    if found is None or (found.revoked_ns is not None and not ended):
        why = "the key is revoked" if found else "no key has the id or name"
        raise KeyNotFoundError(
            f"{why}: {words.name!r:.100}{await _alike(connection, ctx, words)}",
            next_step="`flyball keys list --state usable` shows them",
        )
    return "key", found.line, found.name


async def _member(
    connection: Connection, ctx: Context, words: ScopeWords, home: Organisation, *, wide: bool
) -> tuple[ScopeKind, str, str]:
    if wide:
        person = await owners.person_of(connection, home, words.name)
        return "member", person.id, person.name
    found = await tenants_store.get_member(connection, ctx.project, name_key(words.name))
    if found is None:
        raise MemberNotFoundError(
            f"this project has no member named {words.name!r:.100}{await _alike(connection, ctx, words)}",
            next_step="`flyball members list` shows them",
        )
    return "member", found.id, found.name


async def _alike(connection: Connection, ctx: Context, words: ScopeWords) -> str:
    near = get_close_matches(words.name, await declared_store.names(connection, ctx.project, words.kind), n=3)
    return f"; did you mean {' or '.join(repr(one) for one in near)}?" if near else ""


async def _unseen(connection: Connection, ctx: Context, words: ScopeWords) -> tuple[str, ...]:
    if not words.name:
        return ()
    seen = await declared_store.names(connection, ctx.project, words.kind)
    if words.name in seen:
        return ()
    near = get_close_matches(words.name, seen, n=3)
    hint = f"; calls so far named {', '.join(repr(one) for one in near)}" if near else ""
    return (f"no call has named the {words.kind} {words.name!r} yet: it counts from the first that does{hint}",)
