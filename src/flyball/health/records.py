"""What is known of the running server, as one record: `Health`, and its parts. None: it could not be looked at, never 0."""

from typing import Literal, TypeAlias

import msgspec

State: TypeAlias = Literal["good", "note", "warn", "bad"]
Standing: TypeAlias = Literal["unmeasured", "met", "burning", "missed"]


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """So many percent of the minutes of so many hours, nothing waits longer for its table than so many seconds."""

    seconds: float
    percent: float
    hours: int = 24


class Attainment(msgspec.Struct, frozen=True, kw_only=True):
    """How the objective stands. Of the minutes that were measured, `missed` were too slow, of which `budget` are allowed.

    `left` is the share of the budget that is left (below 0: overdrawn); `burn` how many times faster than allowed it was
    used over the last hour; `unmeasured` the minutes in which flyball did not run.
    """

    state: Standing
    objective: Objective
    measured: int
    unmeasured: int
    missed: int
    budget: float
    left: float
    percent: float | None = None
    burn: float | None = None
    worst_ns: int | None = None
    worst_at_ns: int | None = None
    last_missed_ns: int | None = None


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """One minute as it was measured. A minute without a worst lag could not be measured at all."""

    minute_ns: int
    samples: int = 0
    failed: int = 0
    worst_lag_ns: int | None = None
    waiting: int | None = None
    waiting_bytes: int | None = None
    acknowledged: int = 0
    refused: int = 0
    stored: int = 0
    flushes: int = 0
    flush_ns: int = 0
    flush_failures: int = 0
    disk_free: int | None = None
    memory: int | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Records of a kind that are acknowledged and not yet in their table: how many, how large, and for how long the oldest."""

    kind: str
    records: int
    bytes: int
    lag_ns: int


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Records of a kind since their processes started, and per second over the last minute."""

    kind: str
    acknowledged: int
    refused: int
    stored: int
    acknowledged_rate: float
    stored_rate: float


class Flush(msgspec.Struct, frozen=True, kw_only=True):
    """Batches of a kind since the flusher started; `number` is the last one of all time."""

    kind: str
    number: int
    flushes: int
    flushed: int
    seconds: float
    last_seconds: float | None = None
    last_ns: int | None = None


class Flusher(msgspec.Struct, frozen=True, kw_only=True):
    """How the flusher does as a whole: when it last came through, how often it failed, and what failed last."""

    ended_ns: int | None = None
    failures: int = 0
    failed_ns: int | None = None
    error: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the lake as its log tells. `small` files wait to be joined; `behind`: they are more than come in minutes."""

    name: str
    rows: int
    bytes: int
    files: int
    small: int
    behind: bool
    compactions: int = 0
    joined: int = 0
    last_compaction_ns: int | None = None
    error: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the data directory and what it takes of the disk."""

    name: str
    bytes: int


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk with the least room that flyball writes to. `full_in_seconds`: at the rate of the last hours; None: not filling, or too early."""

    free: int
    total: int
    parts: tuple[Part, ...]
    measured_ns: int | None
    full_in_seconds: float | None = None


class Jobs(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of all projects."""

    queued: int
    running: int
    failed_lately: int  # within a day
    oldest_queued_ns: int | None = None


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process that runs, or should. `silent_seconds`: since it told of itself last."""

    role: str
    pid: int
    running: bool
    restarts: int
    started_ns: int | None = None
    silent_seconds: float | None = None
    memory: int | None = None
    cpu_seconds: float | None = None
    cpu_percent: float | None = None
    ended: str = ""


class Postgres(msgspec.Struct, frozen=True, kw_only=True):
    """The database: whether it answers and how soon, who is connected, how large it is, and statements that take long."""

    away: str = ""
    answered_ns: int | None = None
    connections: int | None = None
    most_connections: int | None = None
    bytes: int | None = None
    slow: int | None = None
    slowest_seconds: float | None = None


class Spool(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway worker has yet to bring to PostgreSQL, and what found no room."""

    of: str
    bytes: int
    room: int
    dropped: int


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway worker since it started."""

    role: str
    calls: int
    refused: int
    in_flight: int
    spools: tuple[Spool, ...]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`good`: as it should be. `note`: worth knowing. `warn`: not for long. `bad`: do something."""

    name: str
    state: State
    found: str
    next_step: str = ""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was looked at, without judgement. `kinds` that nothing waits of are told with nothing."""

    at_ns: int
    version: str
    attainment: Attainment
    waiting: tuple[Waiting, ...] | None
    flows: tuple[Flow, ...]
    turned_away: int  # requests, since ingest is full
    turned_away_rate: float
    given_up: int  # open spans and parts of spans that were too many, since the flusher started
    aside: int | None  # records that cannot be moved into their tables, of all projects
    flushes: tuple[Flush, ...]
    flusher: Flusher
    tables: tuple[Table, ...]
    disk: Disk
    jobs: Jobs | None
    processes: tuple[Process, ...]
    postgres: Postgres
    gateways: tuple[Gateway, ...]
    calls_rate: float

    @property
    def lag_ns(self) -> int | None:
        """How long the record waits that waits longest; None while nobody can tell."""
        return None if self.waiting is None else max((one.lag_ns for one in self.waiting), default=0)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The figures, and what is to be said of them."""

    state: State
    findings: tuple[Finding, ...]
    figures: Figures


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The minutes of a day, oldest first; those in which flyball did not run are missing."""

    items: tuple[Minute, ...]
