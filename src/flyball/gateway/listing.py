"""`/v1/models`: what a caller may name in `model`: configured models, and functions that a release serves."""

from typing import Any

import msgspec

from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import FlyballError

from .answer import refuse
from .errors import ModelNotFoundError
from .exchange import JSON, Exchange, answer_whole
from .house import House
from .identify import identify
from .snapshot import KnownProject

PATH = "/v1/models"


async def list_models(exchange: Exchange, house: House) -> None:
    """All of them, or the one that the path names."""
    try:
        snapshot = house.snapshots.in_force()
        caller = identify(exchange.headers, snapshot)
        found = _entries(snapshot.projects.get(caller.project, KnownProject()))
        name = exchange.path.removeprefix(PATH).strip("/")
        if name and name not in found:
            raise ModelNotFoundError(name, ())
    except FlyballError as error:
        await refuse(exchange, error)
        return
    body = found[name] if name else {"object": "list", "data": list(found.values())}
    await answer_whole(exchange, 200, msgspec.json.encode(body), JSON)


def _entries(project: KnownProject) -> dict[str, dict[str, Any]]:
    functions = {
        function.name: _entry(function.name, function.created_ns, "function", release=function.live.release_id)
        for function in project.functions.values()
        if function.live is not None
    }
    models = {
        model.name: _entry(model.name, model.created_ns, "model", version=model.version)
        for model in project.models.values()
        if model.endpoints
    }
    return {**models, **functions}


def _entry(name: str, created_ns: int, kind: str, **facts: Any) -> dict[str, Any]:
    created = created_ns // NANOSECONDS
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "flyball",
        "flyball": {"kind": kind, **facts},
    }
