"""A finding: one thing that is on or off, in a sentence, and the next step where there is one."""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from flyball.audit.records import Standing
from flyball.secrets.records import MasterKeyState
from flyball.settings import Settings

State: TypeAlias = Literal["good", "note", "warn", "bad"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`good`: as it should be. `note`: worth knowing. `warn`: better otherwise. `bad`: do something."""

    topic: str
    name: str
    state: State
    found: str
    next_step: str = ""


class Posture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was looked at, in the order of the tables."""

    findings: tuple[Finding, ...]

    @property
    def open(self) -> int:
        """How many ask for something to be done."""
        return sum(finding.state in ("warn", "bad") for finding in self.findings)


class People(msgspec.Struct, frozen=True, kw_only=True):
    """The organisation's members by number, and how they sign in."""

    members: int
    owners: int
    with_password: int
    with_factor: int
    owners_without_factor: int
    open_links: int
    sessions: int
    providers: int
    enforced: int


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The project's usable keys by number."""

    usable: int
    without_expiry: int
    long_unused: int
    all_powerful: int
    from_anywhere: int


class Walls(msgspec.Struct, frozen=True, kw_only=True):
    """How PostgreSQL keeps projects apart, and how it is reached."""

    unguarded: tuple[str, ...]
    bypassing: bool
    local: bool
    encrypted: bool


class Facts(NamedTuple):
    """What the checks judge: looked up once, for one project."""

    settings: Settings
    now_ns: int
    people: People
    keys: Keys
    walls: Walls
    audit: Standing
    master: MasterKeyState | None
    master_trouble: str
    references: tuple[str, ...]
    open_folders: tuple[str, ...]


Check: TypeAlias = Callable[[Facts], Finding]
