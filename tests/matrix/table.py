"""The table that everything here is generated from: the routes that the control application has."""

import re
from collections.abc import Callable

from flyball.surface.http.router import registered

_PARAMETER = re.compile(r"{([^}:]*)(?::path)?}")


def table(application):
    """Every declared route of the application."""
    found = [found for route in application.routes if (found := registered(route)) is not None]
    assert len(found) > 200, "the table of routes has been found"
    return found


def address(route, value: str | Callable[[str], str] = "nothing") -> str:
    """A path of the route with every parameter that value, or what a function says of it by name."""
    return _PARAMETER.sub(lambda found: value if isinstance(value, str) else value(found[1]), route.path)


def parameters(route) -> list[str]:
    return _PARAMETER.findall(route.path)


def named(route) -> str:
    return f"{route.method} {route.path}"
