"""What every route, page, job and path of the model API needs, as one table. Reads the tables of the doors; decides nothing."""

from collections.abc import Iterator
from typing import Literal

import msgspec
from starlette.requests import Request

from flyball.gateway.identify import PERMISSION as GATEWAY_PERMISSION
from flyball.gateway.routes import WAYS
from flyball.infra.context import permits
from flyball.jobs import JOBS
from flyball.projects import own_roles
from flyball.surface.http import AUTHENTICATED, PUBLIC, ContextDep, Router
from flyball.surface.http.router import registered

router = Router("/api/permissions", tag="permissions")


class Guarded(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that somebody may do. `roles` are those of the project that give `permission`, built-in ones first.

    Empty for whoever may not read roles.
    """

    kind: Literal["route", "page", "model API", "job"]
    name: str
    permission: str
    roles: tuple[str, ...]


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, by kind and name."""

    items: tuple[Guarded, ...]


@router.get(permission=AUTHENTICATED, returns=Permissions)
async def list_permissions(request: Request, ctx: ContextDep) -> Permissions:
    """What each route, page, path of the model API and job needs, and which roles of the project give it.

    Whoever may not read roles is shown what they may do themselves, and no role.
    """
    if not ctx.actor.may("roles.read"):
        return Permissions(
            items=tuple(
                Guarded(kind=kind, name=name, permission=permission, roles=())
                for kind, name, permission in sorted(_declared(request))
                if permission in (PUBLIC, AUTHENTICATED) or ctx.actor.may(permission)
            )
        )
    roles = {role.name: frozenset(role.permissions) for role in await own_roles.list_roles(ctx)}
    return Permissions(
        items=tuple(
            Guarded(kind=kind, name=name, permission=permission, roles=_giving(permission, roles))
            for kind, name, permission in sorted(_declared(request))
        )
    )


def _declared(request: Request) -> Iterator[tuple[Literal["route", "page", "model API", "job"], str, str]]:
    for route in request.app.routes:
        if (found := registered(route)) is not None:
            yield ("route" if found.documented else "page", f"{found.method} {found.path}", found.permission)
    for path, way in WAYS.items():
        yield "model API", f"{way.method} {path}", GATEWAY_PERMISSION
    for job in JOBS:
        yield "job", job.kind, job.permission


def _giving(permission: str, roles: dict[str, frozenset[str]]) -> tuple[str, ...]:
    if permission == PUBLIC:
        return ("anybody",)
    return tuple(name for name, has in roles.items() if permission == AUTHENTICATED or permits(has, permission))
