"""What every verb is given: who acts, in which project, at what time, with which machinery. Light at run time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from flyball.infra.blobs.store import Blobs
    from flyball.infra.db.database import Database
    from flyball.infra.lake.lake import Lake
    from flyball.infra.layout import Layout
    from flyball.kit.clock import Clock
    from flyball.settings import Settings

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does it. `id` is `local:<uid>`, a member's id, a key's id, `system:<process>` or `anonymous`."""

    id: str
    kind: Literal["local", "member", "key", "system", "anonymous"]
    name: str
    permissions: frozenset[str] = frozenset({"*"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The first parameter of every verb in a room's `service.py`."""

    db: Database
    lake: Lake
    blobs: Blobs
    layout: Layout
    clock: Clock
    settings: Settings
    project: str
    actor: Actor
    request_id: str = ""

    def acting_as(self, actor: Actor) -> Context:
        """The same context for another actor."""
        return replace(self, actor=actor)
