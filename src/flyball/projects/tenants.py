"""The verbs of organisations and projects: make, list, archive. Knows no role but the owner's."""

from flyball.audit import service as audit
from flyball.infra.context import DEFAULT_PROJECT, Context
from flyball.infra.db.database import Connection
from flyball.infra.db.operators import DEFAULT_ORGANISATION, is_operators
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.errors import ConflictError
from flyball.kit.ids import new_id
from flyball.kit.names import name_key, problem_of

from . import store
from .errors import ExceedsOwnRightsError, InvalidNameError, NameTakenError, ProjectNotFoundError
from .records import Member, Organisation, Project
from .roles import ROLES


async def list_organisations(ctx: Context) -> tuple[Organisation, ...]:
    """All of the server for its operator; for anybody else their own."""
    async with ctx.db.connection() as connection:
        found = await store.list_organisations(connection)
        own = await store.get_project(connection, ctx.project)
    return tuple(one for one in found if _is_operator(ctx) or (own and one.id == own.organisation))


async def is_operator(connection: Connection, ctx: Context) -> bool:
    """Whether the actor decides for the server: what runs on it, which of its files are read, whom it calls inside.

    Who works at the server itself does, and who may do everything in a project of the operator's organisation; but no key
    that is limited in what it calls, in time or in place. An owner of another organisation owns that one alone.
    """
    everything = "*" in ctx.actor.permissions and not ctx.actor.limited
    return _is_operator(ctx) or (everything and await is_operators(connection, ctx.project))


async def create_organisation(ctx: Context, name: str, owner: str) -> tuple[Organisation, Project, Member]:
    """Make an organisation with a first project `default` and its first member, an owner, who signs in by a link.

    Raises:
        ExceedsOwnRightsError: somebody other than the server's operator asks.
        InvalidNameError, NameTakenError: the organisation's name, or the owner's.
    """
    _refuse_strangers(ctx, "make organisations")
    check_name("an organisation", name)
    check_name("a member", owner)
    now_ns = ctx.clock.now_ns()
    organisation = Organisation(id=new_id("org", now_ns), name=name, created_ns=now_ns)
    project = _new_project(organisation, "default", now_ns)
    member = Member(
        id=new_id("mem", now_ns),
        organisation=organisation.id,
        project=project.id,
        name=owner,
        role="owner",
        permissions=tuple(ROLES["owner"]),
        owner=True,
        has_password=False,
        created_ns=now_ns,
    )
    inside = ctx.within(project.id, ctx.actor)
    async with ctx.db.across_projects().transaction() as connection:
        if not await store.insert_organisation(connection, organisation, name_key(name)):
            raise taken("organisation", name)
        await store.insert_project(connection, project, name_key(project.name), ctx.actor.id)
        if not await store.insert_member(connection, member, name_key(owner)):
            raise taken("member", owner)
        await store.set_membership(connection, member, ctx.actor.id, now_ns)
        for kind, made in (("organisation", organisation), ("project", project), ("member", member)):
            await audit.record(
                connection, inside, action=f"{kind}s.create", object_kind=kind, object_id=made.id, after=made
            )
    return organisation, project, member


async def list_projects(ctx: Context) -> tuple[Project, ...]:
    """A member's own projects, in the order in which they came to them; for others those of the organisation."""
    async with ctx.db.across_projects().connection() as connection:
        if ctx.actor.kind == "member":
            return tuple(await store.projects_of(connection, ctx.actor.id))
        own = await store.get_project(connection, ctx.project)
        if ctx.actor.kind == "key" or own is None:
            return (own,) if own else ()
        return tuple(await store.list_projects(connection, own.organisation))


async def create_project(ctx: Context, name: str) -> Project:
    """Make a project in the organisation of the current one.

    Raises:
        ExceedsOwnRightsError: somebody other than an owner of the organisation, or the server's operator, asks.
        InvalidNameError, NameTakenError: the name.
    """
    check_name("a project", name)
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        organisation = await organisation_to_change(connection, ctx, "make projects")
        project = _new_project(organisation, name, now_ns)
        if not await store.insert_project(connection, project, name_key(name), ctx.actor.id):
            raise taken("project", name)
        inside = ctx.within(project.id, ctx.actor)
        await audit.record(
            connection, inside, action="projects.create", object_kind="project", object_id=project.id, after=project
        )
    return project


async def archive_project(ctx: Context, name: str) -> Project:
    """Take a project out of use: its keys and sessions are refused, its data stays.

    Raises:
        ExceedsOwnRightsError: somebody other than an owner of the organisation, or the server's operator, asks.
        ProjectNotFoundError: no project in use has this name.
        ConflictError: it is the first one, in which the server's operator works.
    """
    async with ctx.db.across_projects().transaction() as connection:
        organisation = await organisation_to_change(connection, ctx, "archive projects")
        project = await store.find_project(connection, organisation.name, name)
        if project is None:
            raise _no_project(name)
        if project.id == DEFAULT_PROJECT:
            raise ConflictError(
                "the project 'default' of the organisation 'default' is the operator's own, and stays",
                next_step="archive another project",
            )
        await store.archive_project(connection, project.id, ctx.clock.now_ns())
        await notify(connection, SNAPSHOT)
        inside = ctx.within(project.id, ctx.actor)
        await audit.record(
            connection, inside, action="projects.archive", object_kind="project", object_id=project.id, before=project
        )
    return project


async def find_project(ctx: Context, name: str) -> Project:
    """The project that an operator names: `project`, in the organisation `default`, or `organisation/project`.

    Raises ProjectNotFoundError.
    """
    organisation, slash, inner = name.partition("/")
    async with ctx.db.connection() as connection:
        found = await store.find_project(
            connection, *((organisation, inner) if slash else (DEFAULT_ORGANISATION, organisation))
        )
    if found is None:
        raise _no_project(name)
    return found


def check_name(what: str, name: str) -> None:
    """Raise InvalidNameError where this cannot be the name of a project, a role or a person."""
    if problem := problem_of(name):
        raise InvalidNameError(
            f"{name!r:.120} cannot be the name of {what}: {problem}", next_step="choose another name"
        )


def taken(what: str, name: str) -> NameTakenError:
    """The error for a name of the server's that is somebody's, or looks like somebody's."""
    return NameTakenError(
        f"the name {name!r}, or one that looks like it, is another {what}'s", next_step="choose another name"
    )


def _new_project(organisation: Organisation, name: str, now_ns: int) -> Project:
    return Project(
        id=new_id("prj", now_ns),
        organisation=organisation.id,
        organisation_name=organisation.name,
        name=name,
        created_ns=now_ns,
    )


async def organisation_to_change(connection: Connection, ctx: Context, deed: str) -> Organisation:
    """The organisation of the current project, for an owner of it and the server's operator. Raises ExceedsOwnRightsError."""
    project = await store.get_project(connection, ctx.project)
    if project is None:
        raise _no_project(ctx.project)
    if not _is_operator(ctx):
        member = await store.get_member_by_id(connection, ctx.project, ctx.actor.id)
        if member is None or not member.owner:
            raise ExceedsOwnRightsError(
                f"{ctx.actor.name} may not {deed}: only an owner of the organisation may",
                next_step="ask an owner of the organisation",
            )
    return Organisation(id=project.organisation, name=project.organisation_name, created_ns=project.created_ns)


def _refuse_strangers(ctx: Context, deed: str) -> None:
    if not _is_operator(ctx):
        raise ExceedsOwnRightsError(
            f"{ctx.actor.name} may not {deed}: only the server's operator may",
            next_step="run the command on the server, as the owner of the data directory",
        )


def _is_operator(ctx: Context) -> bool:
    return ctx.actor.kind in ("local", "system")


def _no_project(name: str) -> ProjectNotFoundError:
    return ProjectNotFoundError(
        f"there is no project {name!r:.100} in use", next_step="`flyball projects list` shows what there is"
    )
