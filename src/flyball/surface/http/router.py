"""Routes that cannot be made without a permission. Knows FastAPI's registration; knows no noun.

A room declares; the control process calls `install`, which also refuses to start when any route of the application
was made some other way.
"""

import inspect
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, TypeAlias, TypeVar

from fastapi import Depends, FastAPI
from fastapi.params import Depends as DependsMarker
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

from .bodies import BodyReader
from .identity import AUTHENTICATED, PUBLIC, guard
from .responses import Failure, Json

Endpoint: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]
E = TypeVar("E", bound=Endpoint)
_MARK = "__flyball_route__"


class UnguardedRouteError(RuntimeError):
    """A route without a permission: the process does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredRoute:
    """One route as declared. `returns`, `body` and `failure` are types for the OpenAPI document; None where there is nothing."""

    method: str
    path: str
    endpoint: Endpoint
    permission: str
    returns: Any
    body: Any
    status: int
    tag: str
    documented: bool
    failure: Any


class Router:
    """The routes of one room. `documented=False` keeps pages out of the OpenAPI document; `failure` is how errors look there."""

    def __init__(self, prefix: str = "", *, tag: str, documented: bool = True, failure: Any = Failure) -> None:
        self.prefix = prefix
        self.tag = tag
        self.documented = documented
        self.failure = failure
        self.routes: list[RegisteredRoute] = []

    def get(self, path: str = "", *, permission: str, returns: Any, status: int = 200) -> Callable[[E], E]:
        """Reading; changes nothing."""
        return self.add("GET", path, permission=permission, returns=returns, status=status)

    def post(self, path: str = "", *, permission: str, returns: Any, status: int = 200) -> Callable[[E], E]:
        """Making something, or a verb written as a resource (`POST .../approvals`)."""
        return self.add("POST", path, permission=permission, returns=returns, status=status)

    def put(self, path: str = "", *, permission: str, returns: Any, status: int = 200) -> Callable[[E], E]:
        """Writing the thing that the address names."""
        return self.add("PUT", path, permission=permission, returns=returns, status=status)

    def delete(self, path: str = "", *, permission: str, returns: Any, status: int = 200) -> Callable[[E], E]:
        """Undoing or removing."""
        return self.add("DELETE", path, permission=permission, returns=returns, status=status)

    def add(self, method: str, path: str, *, permission: str, returns: Any, status: int = 200) -> Callable[[E], E]:
        """A decorator that registers an `async def` endpoint and leaves it as it is."""
        _check_permission(permission, f"{method} {self.prefix}{path}")

        def register(endpoint: E) -> E:
            if not inspect.iscoroutinefunction(endpoint):
                raise TypeError(f"{method} {self.prefix}{path}: the endpoint must be `async def`")
            route = RegisteredRoute(
                method=method,
                path=self.prefix + path,
                endpoint=endpoint,
                permission=permission,
                returns=returns,
                body=_body_of(endpoint),
                status=status,
                tag=self.tag,
                documented=self.documented,
                failure=self.failure,
            )
            self.routes.append(route)
            return endpoint

        return register


def install(app: FastAPI, routers: Iterable[Router]) -> None:
    """Put the routers' routes into the application, each behind its guard.

    A route is made once, for however many applications of a process: it finds everything of its application in the request.
    """
    for router in routers:
        for route in router.routes:
            app.router.routes.append(_guarded(route))


@cache
def _guarded(route: RegisteredRoute) -> APIRoute:
    return APIRoute(
        route.path,
        _answering(route),
        methods=[route.method],
        status_code=route.status,
        tags=[route.tag],
        response_model=None,
        dependencies=[Depends(guard(route.permission))],
        include_in_schema=route.documented,
    )


def registered(route: BaseRoute) -> RegisteredRoute | None:
    """How a route of an application was declared; None for one that did not come through a Router."""
    found: RegisteredRoute | None = getattr(getattr(route, "endpoint", None), _MARK, None)
    return found


def refuse_unguarded(app: FastAPI, permissions: Collection[str]) -> None:
    """Raise UnguardedRouteError when the application has a route that no guard protects, or by a permission that nobody gives."""
    for route in app.routes:
        if isinstance(route, Mount) or not isinstance(route, APIRoute) or registered(route) is None:
            raise UnguardedRouteError(
                f"the route {getattr(route, 'path', route)!r} was not made by surface.http.Router, so nothing guards it"
            )
        needed = registered(route).permission  # type: ignore[union-attr] # it was found above
        if needed not in permissions and needed not in (PUBLIC, AUTHENTICATED):
            raise UnguardedRouteError(
                f"the route {route.path!r} needs the permission {needed!r}, which no role could give: "
                "projects/roles.py has the table"
            )


def _answering(route: RegisteredRoute) -> Endpoint:
    @wraps(route.endpoint)
    async def answer(*arguments: Any, **named: Any) -> Response:
        result = await route.endpoint(*arguments, **named)
        if isinstance(result, Response):
            return result
        if route.status == 204:
            return Response(status_code=204)
        return Json(result, status_code=route.status)

    setattr(answer, _MARK, route)
    return answer


def _check_permission(permission: object, where: str) -> None:
    if permission in (PUBLIC, AUTHENTICATED):
        return
    noun, dot, deed = permission.partition(".") if isinstance(permission, str) else ("", "", "")
    if not (noun and dot and deed):
        raise UnguardedRouteError(f"{where}: {permission!r} is no permission; write `<noun>.<deed>` or PUBLIC")


def _body_of(endpoint: Endpoint) -> Any:
    for parameter in inspect.signature(endpoint).parameters.values():
        marker = parameter.default
        if isinstance(marker, DependsMarker) and isinstance(marker.dependency, BodyReader):
            return marker.dependency.shape
    return None
