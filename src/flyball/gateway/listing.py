"""What a caller may name in `model`: models and functions that are served, and that its key may call; as vendors list theirs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import FlyballError
from flyball.projects.key_records import ActiveKey

from .errors import ModelNotFoundError
from .exchange import Exchange
from .house import House
from .identify import identify
from .routes import Route
from .snapshot import KnownProject
from .speech import Speech


class _Listed(NamedTuple):
    """A name, since when it is known, and what it is."""

    name: str
    created: int  # seconds
    facts: dict[str, Any]


async def list_models(exchange: Exchange, house: House, route: Route) -> None:
    """All of them, or the one that the path names."""
    speech = Speech(exchange, route.dialect)
    try:
        snapshot = house.snapshots.in_force()
        caller = identify(exchange, house, snapshot, dialect=route.dialect.name)
        found = _entries(snapshot.projects.get(caller.project, KnownProject()), caller)
        if route.model and route.model not in found:
            raise ModelNotFoundError(route.model, (), limited=bool(caller.models or caller.functions))
    except FlyballError as error:
        await speech.refuse(error)
        return
    worded, listed = _SHAPES[route.dialect.name]
    entries = [worded(found[route.model])] if route.model else [worded(entry) for entry in found.values()]
    await speech.whole(200, msgspec.json.encode(entries[0] if route.model else listed(entries)))


def _entries(project: KnownProject, caller: ActiveKey) -> Mapping[str, _Listed]:
    models = (
        _Listed(model.name, model.created_ns // NANOSECONDS, {"kind": "model", "version": model.version})
        for model in project.models.values()
        if model.endpoints and caller.may_call_model(model.name)
    )
    functions = (
        _Listed(name, function.created_ns // NANOSECONDS, {"kind": "function", "release": function.live.release_id})
        for name, function in project.functions.items()
        if function.live is not None and caller.may_call_function(name)
    )
    # A function answers to a name that a model has as well.
    return {listed.name: listed for listed in (*models, *functions)}


def _openai(entry: _Listed) -> dict[str, Any]:
    return {
        "id": entry.name, "object": "model", "created": entry.created, "owned_by": "flyball", "flyball": entry.facts,
    }  # fmt: skip


def _openai_list(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": entries}


def _anthropic(entry: _Listed) -> dict[str, Any]:
    created = datetime.fromtimestamp(entry.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "model", "id": entry.name, "display_name": entry.name, "created_at": created, "flyball": entry.facts,
    }  # fmt: skip


def _anthropic_list(entries: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = (entries[0]["id"], entries[-1]["id"]) if entries else (None, None)
    return {"data": entries, "has_more": False, "first_id": first, "last_id": last}


def _gemini(entry: _Listed) -> dict[str, Any]:
    return {
        "name": f"models/{entry.name}",
        "displayName": entry.name,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "flyball": entry.facts,
    }


def _gemini_list(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"models": entries}


_SHAPES = {
    "openai_chat": (_openai, _openai_list),
    "anthropic_messages": (_anthropic, _anthropic_list),
    "gemini": (_gemini, _gemini_list),
}
