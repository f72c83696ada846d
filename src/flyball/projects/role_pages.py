"""Roles and projects as pages. Parse, one verb, render."""

import re

import msgspec

from flyball.kit.errors import FlyballError
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import own_roles, tenants
from .records import Organisation, Project, Role
from .roles import PERMISSIONS

role_pages = Pages(tag="projects", section="/roles")
project_pages = Pages(tag="projects", section="/projects")
_WORDS = re.compile(r"[,\s]+")


class RoleList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/roles.html shows. `name`, `description` and `permissions` are what was filled in, `wrong` what is wrong with it."""

    roles: tuple[Role, ...]
    all_permissions: tuple[str, ...]
    may_write: bool
    name: str = ""
    description: str = ""
    permissions: str = ""
    wrong: str = ""


class ProjectList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/projects.html shows. `current` is the project in which the caller acts."""

    projects: tuple[Project, ...]
    organisations: tuple[Organisation, ...]
    current: str
    may_write: bool
    may_switch: bool


@role_pages.get("/roles", permission="roles.read", template="projects/roles.html")
async def list_roles(ctx: ContextDep) -> RoleList:
    """The built-in roles and the project's own."""
    return await _roles(ctx)


async def _roles(ctx: ContextDep) -> RoleList:
    return RoleList(
        roles=await own_roles.list_roles(ctx),
        all_permissions=tuple(sorted(PERMISSIONS)),
        may_write=ctx.actor.may("roles.write"),
    )


@role_pages.post("/roles", permission="roles.write", template="projects/roles.html")
async def set_role(ctx: ContextDep, form: FormDep) -> RoleList | See:
    """Make a role, or change what one gives."""
    name, permissions = form.get("name", ""), form.get("permissions", "")
    description = form.get("description", "")
    try:
        role = await own_roles.set_role(ctx, name, tuple(filter(None, _WORDS.split(permissions))), description)
    except FlyballError as error:
        return msgspec.structs.replace(
            await _roles(ctx), name=name, description=description, permissions=permissions, wrong=str(error)
        )
    return See("/roles", f"The role {role.name} gives {len(role.permissions)} permissions now.")


@role_pages.post("/roles/{name}/removal", permission="roles.write")
async def remove_role(ctx: ContextDep, name: str) -> See:
    """Remove a role that nobody has any more."""
    try:
        await own_roles.remove_role(ctx, name)
    except FlyballError as error:
        return See("/roles", str(error), tone="bad")
    return See("/roles", f"The role {name} is removed.")


@project_pages.get("/projects", permission="projects.read", template="projects/projects.html")
async def list_projects(ctx: ContextDep) -> ProjectList:
    """The projects in which the caller has a role."""
    may_see = ctx.actor.may("organisations.read")
    return ProjectList(
        projects=await tenants.list_projects(ctx),
        organisations=await tenants.list_organisations(ctx) if may_see else (),
        current=ctx.project,
        may_write=ctx.actor.may("projects.write"),
        may_switch=ctx.actor.kind == "member",
    )


@project_pages.post("/projects", permission="projects.write")
async def create_project(ctx: ContextDep, form: FormDep) -> See:
    """Make a project in the organisation of the current one."""
    try:
        project = await tenants.create_project(ctx, form.get("name", ""))
    except FlyballError as error:
        return See("/projects", str(error), tone="bad")
    return See("/projects", f"The project {project.name} is made. Switch to it to fill it.")


@project_pages.post("/projects/{name}/archival", permission="projects.write")
async def archive_project(ctx: ContextDep, name: str) -> See:
    """Take a project out of use."""
    try:
        project = await tenants.archive_project(ctx, name)
    except FlyballError as error:
        return See("/projects", str(error), tone="bad")
    return See(
        "/projects", f"The project {project.name} is archived: its keys and sessions are refused, its data stays."
    )
