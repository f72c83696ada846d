"""The control API as a page: every route with its permission, body and answer, from the same facts as the OpenAPI document."""

from itertools import groupby
from typing import Any

import msgspec
from starlette.requests import Request

from flyball.surface.html import Pages
from flyball.surface.http import AUTHENTICATED
from flyball.surface.http.router import RegisteredRoute, registered

pages = Pages(tag="reference", section="/reference")


class RouteLine(msgspec.Struct, frozen=True, kw_only=True):
    """One route as a line. `takes` and `answers` are the names of schemas in the OpenAPI document; empty for nothing."""

    method: str
    path: str
    does: str
    permission: str
    takes: str
    answers: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The routes of one room."""

    tag: str
    routes: tuple[RouteLine, ...]


class ReferencePage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/reference.html shows."""

    groups: tuple[Group, ...]
    count: int


@pages.get("/reference", permission=AUTHENTICATED, template="web/reference.html")
async def show_reference(request: Request) -> ReferencePage:
    """Every documented route, by room."""
    routes = [found for route in request.app.routes if (found := registered(route)) and found.documented]
    groups = tuple(
        Group(tag=tag, routes=tuple(_line(route) for route in of_tag))
        for tag, of_tag in groupby(sorted(routes, key=lambda route: route.tag), lambda route: route.tag)
    )
    return ReferencePage(groups=groups, count=len(routes))


def _line(route: RegisteredRoute) -> RouteLine:
    return RouteLine(
        method=route.method,
        path=route.path,
        does=(route.endpoint.__doc__ or "").partition("\n")[0],
        permission=route.permission,
        takes=_name(route.body),
        answers=_name(route.returns),
    )


def _name(shape: Any) -> str:
    if shape is None:
        return ""
    if isinstance(shape, type):
        return shape.__name__
    inner = ", ".join(_name(each) for each in getattr(shape, "__args__", ()) if each is not Ellipsis)
    name = getattr(shape, "__origin__", shape)
    return f"{getattr(name, '__name__', name)}[{inner}]" if inner else str(getattr(name, "__name__", name))
