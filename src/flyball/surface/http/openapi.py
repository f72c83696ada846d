"""The OpenAPI document, made from the routes and the msgspec Structs that they take and return. Knows no noun."""

import copy
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from flyball import __version__

from .bodies import OCTETS
from .identity import AUTHENTICATED, PUBLIC
from .responses import Json
from .router import RegisteredRoute, registered

_REFERENCE = "#/components/schemas/{name}"


class _Schemas:
    """Shapes by name. Where two rooms give one name to different shapes, the later one's is prefixed with its room's tag."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}
        self._schemas: dict[Any, Any] = {}

    def add(self, shape: Any, tag: str) -> None:
        """Describe a shape and everything in it."""
        if shape in self._schemas:
            return
        for prefix in ("", f"{tag}."):
            [schema], found = msgspec.json.schema_components(
                [shape], ref_template=_REFERENCE.replace("{", prefix + "{")
            )
            named = {prefix + name: each for name, each in found.items()}
            if all(self.components.get(name, each) == each for name, each in named.items()):
                break
        else:
            raise ValueError(f"{shape!r} has the name of another shape of {tag!r}: rename one of the two")
        self.components |= named
        self._schemas[shape] = schema

    def of(self, shape: Any) -> Any:
        """The schema of a shape that was added."""
        return self._schemas[shape]


def describe(app: FastAPI) -> dict[str, Any]:
    """The document: every documented route with its body, answer, permission and the envelope of errors."""
    routes = [found for route in app.routes if (found := registered(route)) is not None and found.documented]
    schemas = _Schemas()
    for route in routes:
        for shape in (route.returns, route.body, route.failure):
            if shape not in (None, bytes):
                schemas.add(shape, route.tag)

    document: dict[str, Any] = get_openapi(
        title="flyball control API",
        version=__version__,
        routes=app.routes,
        description="Everything that the pages and the commands do. Errors come as `Failure`.",
    )
    for route in routes:
        operation = document["paths"][_template(route.path)][route.method.lower()]
        operation.update(_operation(route, schemas))
        operation["responses"] = _responses(route, schemas)
    document["components"] = {
        "schemas": dict(sorted(schemas.components.items())),
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer", "description": "An API key: `flyball keys create NAME`."},
            "session": {"type": "apiKey", "in": "cookie", "name": "flyball_session"},
        },
    }
    return document


class OpenApiDocument:
    """Serves the document; made once, at the first question."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._document: dict[str, Any] | None = None

    def answer(self) -> Json:
        """The document as an answer."""
        if self._document is None:
            self._document = describe(self._app)
        return Json(copy.copy(self._document), headers={"cache-control": "no-cache"})


def _operation(route: RegisteredRoute, schemas: _Schemas) -> dict[str, Any]:
    parts: dict[str, Any] = {"x-flyball-permission": route.permission}
    if route.permission != PUBLIC:
        parts["security"] = [{"key": []}, {"session": []}]
        if route.permission != AUTHENTICATED:
            parts["description"] = _described(route)
    if route.body is not None:
        parts["requestBody"] = {"required": True, "content": _content(route.body, schemas)}
    return parts


def _described(route: RegisteredRoute) -> str:
    text = (route.endpoint.__doc__ or "").strip()
    return f"{text}\n\nNeeds the permission `{route.permission}`.".strip()


def _responses(route: RegisteredRoute, schemas: _Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if route.returns is not None and route.status != 204:
        success["content"] = _content(route.returns, schemas)
    problem = {"application/json": {"schema": schemas.of(route.failure)}}
    return {str(route.status): success, "default": {"description": "What went wrong.", "content": problem}}


def _content(shape: Any, schemas: _Schemas) -> dict[str, Any]:
    """A body or an answer by its media type; `bytes` is a file, whatever it holds."""
    if shape is bytes:
        return {OCTETS: {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": schemas.of(shape)}}


def _template(path: str) -> str:
    """`/api/things/{name}` of the registered `/api/things/{name:path}`."""
    return "/".join(
        part.partition(":")[0] + "}" if part.startswith("{") and ":" in part else part for part in path.split("/")
    )
