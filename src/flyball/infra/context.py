"""What every verb is given: who acts, in which project, at what time, with which machinery. Light at run time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from flyball.kit.permits import permits
from flyball.kit.tally import Tally

if TYPE_CHECKING:
    from flyball.infra.blobs.store import Blobs
    from flyball.infra.db.database import Database
    from flyball.infra.lake.lake import Lake
    from flyball.infra.layout import Layout
    from flyball.infra.secrets.keyring import Keyring
    from flyball.kit.clock import Clock
    from flyball.settings import Settings

__all__ = ["DEFAULT_PROJECT", "Actor", "Context", "permits"]

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does it. `id` is `local:<uid>`, a member's id, a key's id, `system:<process>` or `anonymous`."""

    id: str
    kind: Literal["local", "member", "key", "system", "anonymous"]
    name: str
    permissions: frozenset[str] = frozenset({"*"})
    limited: bool = False  # a key that expires or has limits: it lends them to nobody
    auth_method: str = (
        ""  # how they proved who they are: password, link, provider NAME, password + code...; empty: what `kind` says
    )

    def may(self, needed: str) -> bool:
        """Whether this actor has the permission."""
        return permits(self.permissions, needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The first parameter of every verb in a room's `service.py`. Its `db` sees the rows of `project` alone."""

    db: Database
    lake: Lake
    blobs: Blobs
    layout: Layout
    clock: Clock
    settings: Settings
    keyring: Keyring
    project: str
    actor: Actor
    request_id: str = ""
    tally: Tally = field(default_factory=Tally)  # what this process counts of its own work

    def __post_init__(self) -> None:
        """Bind the database, whoever makes the context and however."""
        object.__setattr__(self, "db", self.db.bound_to(self.project))

    def within(self, project: str, actor: Actor) -> Context:
        """The same machinery for another project and whoever acts there."""
        return replace(self, project=project, actor=actor)

    def acting_as(self, actor: Actor) -> Context:
        """The same context for another actor."""
        return replace(self, actor=actor)
