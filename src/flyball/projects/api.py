"""The HTTP face of organisations, projects, roles and of who the caller is: parse, one verb, answer."""

import msgspec

from flyball.surface.http import AUTHENTICATED, Body, ContextDep, Router

from . import own_roles, tenants
from .records import Organisation, Project, Role

router = Router("/api", tag="projects")


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is, and what they may do."""

    id: str
    kind: str
    name: str
    project: str
    permissions: tuple[str, ...]


class Organisations(msgspec.Struct, frozen=True, kw_only=True):
    """Organisations by name."""

    items: tuple[Organisation, ...]


class NewOrganisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organisation to make, and the name of its first owner, who signs in by a link."""

    name: str
    owner: str


class CreatedOrganisation(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation just made, its first project and its owner's name."""

    organisation: Organisation
    project: Project
    owner: str


class Projects(msgspec.Struct, frozen=True, kw_only=True):
    """Projects."""

    items: tuple[Project, ...]


class NewProject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project to make in the organisation of the current one."""

    name: str


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """The built-in roles, then the project's own."""

    items: tuple[Role, ...]


class RoleWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role of the project's own gives."""

    permissions: tuple[str, ...]
    description: str = ""


@router.get("/organisations", permission="organisations.read", returns=Organisations)
async def list_organisations(ctx: ContextDep) -> Organisations:
    """All of the server for its operator; for anybody else their own."""
    return Organisations(items=await tenants.list_organisations(ctx))


@router.post("/organisations", permission="organisations.write", returns=CreatedOrganisation, status=201)
async def create_organisation(ctx: ContextDep, new: NewOrganisation = Body(NewOrganisation)) -> CreatedOrganisation:
    """Make an organisation with a project `default` and an owner; for the server's operator."""
    organisation, project, owner = await tenants.create_organisation(ctx, new.name, new.owner)
    return CreatedOrganisation(organisation=organisation, project=project, owner=owner.name)


@router.get("/projects", permission="projects.read", returns=Projects)
async def list_projects(ctx: ContextDep) -> Projects:
    """A member's own projects; a key's one; for the operator those of the organisation."""
    return Projects(items=await tenants.list_projects(ctx))


@router.post("/projects", permission="projects.write", returns=Project, status=201)
async def create_project(ctx: ContextDep, new: NewProject = Body(NewProject)) -> Project:
    """Make a project; for owners of the organisation."""
    return await tenants.create_project(ctx, new.name)


@router.post("/projects/{name}/archival", permission="projects.write", returns=Project)
async def archive_project(ctx: ContextDep, name: str) -> Project:
    """Take a project out of use: its keys and sessions are refused, its data stays; for owners of the organisation."""
    return await tenants.archive_project(ctx, name)


@router.get("/roles", permission="roles.read", returns=Roles)
async def list_roles(ctx: ContextDep) -> Roles:
    """The built-in roles, then the project's own by name; each with how many members and keys have it."""
    return Roles(items=await own_roles.list_roles(ctx))


@router.put("/roles/{name}", permission="roles.write", returns=Role)
async def set_role(ctx: ContextDep, name: str, wish: RoleWish = Body(RoleWish)) -> Role:
    """Make a role, or change what one gives; it counts at once."""
    return await own_roles.set_role(ctx, name, wish.permissions, wish.description)


@router.delete("/roles/{name}", permission="roles.write", returns=Role)
async def remove_role(ctx: ContextDep, name: str) -> Role:
    """Remove a role that nobody has any more."""
    return await own_roles.remove_role(ctx, name)


@router.get("/me", permission=AUTHENTICATED, returns=Me)
async def show_me(ctx: ContextDep) -> Me:
    """Who the caller is."""
    actor = ctx.actor
    return Me(
        id=actor.id,
        kind=actor.kind,
        name=actor.name,
        project=ctx.project,
        permissions=tuple(sorted(actor.permissions)),
    )
