"""What a Langfuse client asks first: does the server live, and which project are these keys of?"""

from typing import Any

import msgspec

from flyball import __version__
from flyball.projects import tenants
from flyball.surface.http import AUTHENTICATED, PUBLIC, ContextDep, Router

from .shapes import Refusal

router = Router("/api/public", tag="langfuse", failure=Refusal)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The server lives; `version` is flyball's."""

    status: str = "OK"
    version: str = __version__


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """Whose project it is."""

    id: str
    name: str


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """The project of the keys."""

    id: str
    name: str
    organization: Organization
    metadata: dict[str, Any] = {}


class Projects(msgspec.Struct, frozen=True, kw_only=True):
    """The projects that the caller may see: of a key, its one."""

    data: tuple[Project, ...]


@router.get("/health", permission=PUBLIC, returns=Health)
async def health() -> Health:
    """The server answers."""
    return Health()


@router.get("/projects", permission=AUTHENTICATED, returns=Projects)
async def list_projects(ctx: ContextDep) -> Projects:
    """The project of the caller's key; what `auth_check()` asks."""
    return Projects(
        data=tuple(
            Project(
                id=one.id,
                name=one.name,
                organization=Organization(id=one.organisation, name=one.organisation_name),
            )
            for one in await tenants.list_projects(ctx)
        )
    )
