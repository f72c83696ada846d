"""The shelf of retrieval engines: an engine's module is loaded when something is searched first, and not before.

LanceDB alone costs a second and 60 MB at import, which a process that only lists indexes should not pay. Light.
"""

import asyncio
from importlib import import_module
from typing import Protocol, cast

from flyball.infra.layout import Layout

from .records import IndexVersion, Passage

_MODULES = {"lancedb": "flyball.indexes.retriever"}  # the first word of `IndexSettings.engine`


class Engine(Protocol):
    """What every engine's module offers. Blocking; called in threads."""

    def search(self, layout: Layout, version: IndexVersion, query: str, k: int) -> list[Passage]:
        """The `k` best passages, best first; raises IndexFilesMissingError and IndexInvalidError."""
        ...

    def close(self, layout: Layout, version: IndexVersion) -> None:
        """Forget an opened version, so that the next search opens its files anew."""
        ...


_loaded: dict[str, Engine] = {}


def engine(name: str = "lancedb") -> Engine:
    """The engine of that name, loaded now if it was not."""
    if name not in _loaded:
        _loaded[name] = cast("Engine", import_module(_MODULES[name]))
    return _loaded[name]


async def load(name: str = "lancedb") -> None:
    """Load the engine of that name without holding up others; nothing where it is loaded."""
    if name not in _loaded:
        await asyncio.to_thread(engine, name)


def search(layout: Layout, version: IndexVersion, query: str, k: int) -> list[Passage]:
    """Search a version with the engine that built it. Raises as the engine's `search` does."""
    return engine(version.settings.engine.partition(" ")[0]).search(layout, version, query, k)
