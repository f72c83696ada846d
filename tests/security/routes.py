"""What attacks are generated from: the routes that the control application has, and their parameters."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from flyball.surface.http.identity import PUBLIC
from flyball.surface.http.router import RegisteredRoute, registered

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"{([^}:]*)(:path)?}")


def all_routes(application: Any) -> list[RegisteredRoute]:
    """Every route, as declared."""
    found = [found for route in application.routes if (found := registered(route)) is not None]
    assert len(found) > 60, "the table of routes has been found"
    return found


def guarded(application: Any) -> list[RegisteredRoute]:
    return [route for route in all_routes(application) if route.permission != PUBLIC]


def changing(application: Any) -> list[RegisteredRoute]:
    return [route for route in all_routes(application) if route.method in CHANGING]


def address(route: RegisteredRoute, value: str = "x") -> str:
    """A path of the route with every parameter that value."""
    return _PARAMETER.sub(lambda _: value, route.path)


def in_path(route: RegisteredRoute) -> list[str]:
    return [match[1] for match in _PARAMETER.finditer(route.path)]


def in_query(route: RegisteredRoute) -> list[str]:
    """The parameters that a route takes behind the question mark."""
    taken = set(in_path(route))
    return [
        name
        for name, parameter in inspect.signature(route.endpoint).parameters.items()
        if name not in taken and (parameter.annotation in ("str", "int", "bool", str, int, bool) or str(parameter.annotation) in ("str | None", "int | None"))
    ]  # fmt: skip


def named(route: RegisteredRoute) -> str:
    return f"{route.method} {route.path}"


def with_all_parameters(route: RegisteredRoute, value: str) -> str:
    """An address that has the value everywhere at once."""
    asked = in_query(route)
    return address(route, value) + (f"?{'&'.join(f'{name}={value}' for name in asked)}" if asked else "")


def with_each_parameter(route: RegisteredRoute, value: str) -> Iterator[str]:
    """Addresses that have the value in the path, in each question alone, and in all at once."""
    if in_path(route):
        yield address(route, value)
    asked = in_query(route)
    for name in asked:
        yield f"{address(route)}?{name}={value}"
    if asked:
        yield f"{address(route)}?{'&'.join(f'{name}={value}' for name in asked)}"
