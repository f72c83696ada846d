"""What all calls of one worker share. Made once, at start; nothing here changes but what is meant to be counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.kit.addresses import Network
from flyball.kit.clock import Clock
from flyball.ledger.cover import Cover
from flyball.ledger.told import Telling
from flyball.llm.wire import Wire
from flyball.projects.key_refusals import KeyRefusals
from flyball.projects.key_uses import KeyUses

from .admit import Gate
from .exchange import NO_LINGER, Linger
from .expecting import Expectations
from .read import Limits
from .record import Recorder
from .snapshot import Snapshot
from .till import Till


class Snapshots(Protocol):
    """Where the snapshot in force is found."""

    def in_force(self) -> Snapshot:
        """The newest one. Raises NotReadyError before the first."""
        ...


class Standings(Protocol):
    """What this worker knows of limits."""

    def after(self, cover: Cover, amounts: Sequence[int]) -> Telling | None:
        """How they stand after a call was let in that may take so much; nothing of what is not known."""
        ...


class NoStandings:
    """Knows nothing of any limit."""

    def after(self, cover: Cover, amounts: Sequence[int]) -> Telling | None:  # noqa: ARG002 -- the port's shape
        """Nothing."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One worker's machinery."""

    clock: Clock
    snapshots: Snapshots
    gate: Gate
    limits: Limits
    deadline_seconds: float
    first_byte_seconds: float = 0  # of a stream's head; 0: the deadline alone
    first_content_seconds: float = 0  # of a stream, from its head on; 0: the deadline alone
    keep_alive_seconds: float = 15  # 0: never
    early_keep_alive_seconds: float = 0  # 0: never before the first content
    linger: Linger = NO_LINGER  # with answers whose client has left
    wire: Wire
    runner: HttpOverUnix
    control: HttpOverUnix
    recorder: Recorder
    till: Till
    standings: Standings = field(default_factory=NoStandings)
    expectations: Expectations = field(default_factory=Expectations)
    proxies: tuple[Network, ...] = ()  # whose word on where a call comes from is believed
    uses: KeyUses = field(default_factory=KeyUses)
    refusals: KeyRefusals = field(default_factory=KeyRefusals)
