"""A chain of reasons: its links, each with an id, a hash and facts. Light: commands import it. Knows no room."""

from typing import Any, Literal

import msgspec

Kind = Literal[
    "answer",
    "release",
    "approval",
    "evaluation",
    "variant",
    "code",
    "prompt",
    "model",
    "index",
    "passage",
    "dataset",
    "document",
    "score",
]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One reason. `depth` says under which link it stands: the last one before it that is less deep.

    `verified` is True where the hash was recomputed from the content and agrees, False where it does not, None where it
    could not be recomputed; `note` says why not. `recorded` is False for a link that should be here and is not.
    """

    kind: Kind
    title: str
    depth: int
    id: str = ""
    hash: str = ""
    verified: bool | None = None
    recorded: bool = True
    note: str = ""
    facts: dict[str, Any] = {}


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the answers of a trace rest on, in reading order."""

    trace_id: str
    links: tuple[Link, ...]

    @property
    def altered(self) -> tuple[Link, ...]:
        """Links whose content is not what their hash says."""
        return tuple(link for link in self.links if link.verified is False)


def missing(kind: Kind, depth: int, reason: str) -> Link:
    """A link that should be here and is not."""
    return Link(kind=kind, title="not recorded", depth=depth, recorded=False, note=reason)
