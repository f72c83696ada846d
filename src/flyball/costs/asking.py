"""From what somebody asks to what is read: which projects they may see, and which keys and members their names are."""

from difflib import get_close_matches
from typing import NamedTuple, cast, get_args

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Database, Row
from flyball.ledger.records import State
from flyball.ledger.scopes import find_place
from flyball.projects import store as tenants_store
from flyball.projects.errors import ExceedsOwnRightsError, ProjectNotFoundError
from flyball.projects.tenants import organisation_to_change

from . import store
from .errors import CostsInvalidError
from .records import By, Filters, Sums, Window

BYS: tuple[str, ...] = get_args(By)
COLUMN: dict[str, str] = {"key": "key_id"} | {name: name for name in BYS if name != "key"}
_BESIDE = {"key": ("project",), "variant": ("function",)}  # a name of these is one only beside another
_LONGEST = 200
_FREE: tuple[store.Column, ...] = get_args(store.Column)  # any name is taken, and told if nothing bears it


class Asked(NamedTuple):
    """What is read, through which database, and what whoever asks should know."""

    where: store.Where
    database: Database
    projects: dict[str, str]  # names by id
    notes: tuple[str, ...]


def check_by(by: str) -> By:
    """A dimension. Raises CostsInvalidError."""
    if by not in BYS:
        near = get_close_matches(by.lower(), BYS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CostsInvalidError(f"costs have no {by!r:.40}{hint}", next_step=f"say one of {', '.join(BYS)}")
    return cast("By", by)


def group_of(by: By) -> tuple[str, ...]:
    """The columns that are one name."""
    return (COLUMN[by], *_BESIDE.get(by, ()))


async def asked(
    ctx: Context, window: Window, filters: Filters | None = None, *, organisation_wide: bool = False
) -> Asked:
    """What is meant.

    Raises:
        ExceedsOwnRightsError: the whole organisation is asked for by somebody who is none of its owners.
        KeyNotFoundError, MemberNotFoundError, ProjectNotFoundError: nobody has the name.
        CostsInvalidError: a name that none can be, or a project without the whole organisation.
    """
    filters = filters or Filters()
    _check_names(filters)
    database = ctx.db.across_projects() if organisation_wide else ctx.db
    async with database.connection() as connection:
        projects = await _projects(connection, ctx, filters.project, organisation_wide=organisation_wide)
        columns = dict[str, str]()
        if filters.key:
            columns["key_id"] = (await find_place(connection, ctx, f"key:{filters.key}", ended=True)).scope
        if filters.member:
            found = await find_place(connection, ctx, f"member:{filters.member}", organisation_wide=organisation_wide)
            columns["member"] = found.scope
        columns |= {name: value for name in (*_FREE, "state") if (value := getattr(filters, name))}
        notes = [await _unknown(connection, list(projects), name, columns[name]) for name in _FREE if name in columns]
    where = store.Where(projects=tuple(projects), window=window, columns=tuple(columns.items()), tag=filters.tag)
    return Asked(where, database, projects, tuple(note for note in notes if note))


async def called(ctx: Context, filters: Filters) -> Filters:
    """The same, with a key that was named by its id under its name."""
    if not filters.key:
        return filters
    async with ctx.db.connection() as connection:
        found = await find_place(connection, ctx, f"key:{filters.key}", ended=True)
    return msgspec.structs.replace(filters, key=found.name)


async def may_see_all(ctx: Context) -> bool:
    """Whether whoever asks may see what the whole organisation costs."""
    async with ctx.db.across_projects().connection() as connection:
        try:
            await organisation_to_change(connection, ctx, "see what the whole organisation costs")
        except ExceedsOwnRightsError:
            return False
    return True


def _check_names(filters: Filters) -> None:
    for kind in Filters.__struct_fields__:
        name = getattr(filters, kind)
        if name and (len(name) > _LONGEST or not name.isprintable()):
            raise CostsInvalidError(
                f"{name!r:.80} is no name of a {kind}", next_step=f"write {_LONGEST} printable characters at most"
            )
    if filters.state and filters.state not in get_args(State):
        raise CostsInvalidError(
            f"{filters.state!r:.60} is no state", next_step=f"say one of {', '.join(get_args(State))}"
        )


async def _projects(connection: Connection, ctx: Context, name: str, *, organisation_wide: bool) -> dict[str, str]:
    if not organisation_wide:
        home = await tenants_store.get_project(connection, ctx.project)
        if home is None or name not in ("", home.name):
            raise CostsInvalidError(
                "costs of other projects are asked for with the whole organisation's",
                next_step="say --organisation-wide",
            )
        return {home.id: home.name}
    home_organisation = await organisation_to_change(connection, ctx, "see what the whole organisation costs")
    found = await tenants_store.list_projects(connection, home_organisation.id)
    projects = {each.id: each.name for each in found if name in ("", each.name)}
    if not projects:
        raise ProjectNotFoundError(
            f"the organisation has no project {name!r:.100}", next_step="`flyball projects list` shows what there is"
        )
    return projects


async def _unknown(connection: Connection, projects: list[str], kind: store.Column, name: str) -> str:
    names = await store.known(connection, projects, kind)
    if name in names:
        return ""
    near = get_close_matches(name, names, n=3)
    hint = f"; calls so far named {', '.join(map(repr, near))}" if near else ""
    return f"no call has named the {kind} {name!r} yet{hint}"


async def names_of(asked: Asked, by: By, rows: list[Row]) -> dict[str, str]:
    """What people call the ids of some rows; an id that nobody has any more is its own name."""
    ids = sorted({row[COLUMN[by]] for row in rows} - {""})
    async with asked.database.connection() as connection:
        if by == "key":
            return await store.key_names(connection, asked.where.projects, ids)
        if by == "member":
            return await store.member_names(connection, ids)
    return asked.projects if by == "project" else {}


def beside(asked: Asked, by: By, row: Row) -> str:
    """What a row's name stands beside: a variant's function; a key's project, where there are several."""
    if by == "variant":
        return str(row["function"])
    return asked.projects[row["project"]] if by == "key" and len(asked.projects) > 1 else ""


def sums_of(row: Row) -> Sums:
    """The sums of a row."""
    return Sums(**{name: row[name] or 0 for name in Sums.__struct_fields__})


def added(rows: list[Sums]) -> Sums:
    """What they add up to."""
    return Sums(**{name: sum(getattr(row, name) for row in rows) for name in Sums.__struct_fields__})


def without(whole: Sums, part: Sums) -> Sums:
    """What is left of a whole."""
    return Sums(**{name: getattr(whole, name) - getattr(part, name) for name in Sums.__struct_fields__})
