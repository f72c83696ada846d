"""What is to be said of the figures: a table of small functions, each of which makes one finding, with the next step. Pure."""

from collections.abc import Callable
from typing import TypeAlias

from flyball.kit.clock import NANOSECONDS, to_datetime

from .processes import SUPERVISOR
from .records import Attainment, Figures, Finding, Flusher, Standing, State

Check: TypeAlias = Callable[[Figures], Finding]

_STANDINGS: dict[Standing, State] = {"unmeasured": "note", "met": "good", "burning": "warn", "missed": "bad"}
_TOO_MUCH = (
    "`flyball health` compares what is acknowledged with what is stored, per second: where more comes than is stored, let "
    "applications sample, or give the flusher a faster core"
)
_SILENT_SECONDS = 30.0
_LATELY_NS = 3600 * NANOSECONDS
_LITTLE_FREE = 2 * 1024**3
_VERY_LITTLE_FREE = 300 * 1024**2
_SOON_SECONDS, _DAYS_SECONDS = 6 * 3600.0, 3 * 86_400.0
_LONG_QUEUED_NS = 120 * NANOSECONDS
_SLOW_ANSWER_NS = NANOSECONDS // 2


def judge(figures: Figures) -> tuple[Finding, ...]:
    """Every finding, in the order of the table."""
    return tuple(check(figures) for check in CHECKS)


def objective(figures: Figures) -> Finding:
    """Whether the objective for lag is met, and what is likely in its way."""
    stands = figures.attainment
    state = _STANDINGS[stands.state]
    step = _why_slow(figures) if stands.state in ("burning", "missed") else ""
    return Finding(name="objective for lag", state=state, found=told_of(stands), next_step=step)


def told_of(stands: Attainment) -> str:
    """How the objective stands, in a sentence."""
    aim = (
        f"at most {stands.objective.seconds:g} s in {stands.objective.percent:g} % of the minutes of "
        f"{stands.objective.hours} hours"
    )
    if stands.state == "unmeasured":
        return f"nothing was measured yet; it is {aim}"
    had = f"{stands.missed:,} of {stands.measured:,} minutes were slower, {stands.budget:g} may be"
    if stands.state == "burning":
        return f"in danger: {had} ({aim}), and the last hour used {stands.burn:g} times what is allowed"
    return f"{stands.state}: {had} ({aim})"


def _why_slow(figures: Figures) -> str:
    """The next step, by what else is wrong: the first of these is the cause of the others."""
    lag_ns, missed_ns = figures.lag_ns, figures.attainment.last_missed_ns
    holds = lag_ns is not None and lag_ns <= figures.attainment.objective.seconds * NANOSECONDS
    causes = (
        (figures.postgres.away, "PostgreSQL is away: run `flyball doctor`"),
        (
            flushing(figures).state == "bad",
            "the flusher does not come through: read what failed last, then `logs/flusher.log`",
        ),
        (disk(figures).state == "bad", "make room on the disk, or shorten how long traces are kept"),
        (
            any(table.behind for table in figures.tables),
            "the worker does not keep up with joining files: read `logs/worker.log`",
        ),
        (figures.postgres.slow, "statements in PostgreSQL take long: find them in `pg_stat_activity`"),
        (
            holds and missed_ns,
            f"it holds now; the page `/health` shows when it did not, last at {_clock(missed_ns or 0)}",
        ),
    )
    return next((step for is_so, step in causes if is_so), _TOO_MUCH)


def lag(figures: Figures) -> Finding:
    """How long the oldest record waits now."""
    if figures.waiting is None or figures.lag_ns is None:
        return Finding(
            name="lag now", state="bad", found="nobody can tell: PostgreSQL is away", next_step="run `flyball doctor`"
        )
    waits = sum(one.records for one in figures.waiting)
    found = f"{figures.lag_ns / NANOSECONDS:.1f} s; {waits:,} records wait for their table"
    if figures.lag_ns > figures.attainment.objective.seconds * NANOSECONDS:
        return Finding(name="lag now", state="warn", found=found, next_step=_why_slow(figures))
    return Finding(name="lag now", state="good", found=found)


def flushing(figures: Figures) -> Finding:
    """Whether the flusher comes through."""
    flusher = figures.flusher
    if flusher.ended_ns is None and flusher.failed_ns is None:
        comes = any(one.role == "flusher" and (one.running or not one.ended) for one in figures.processes)
        if comes or not figures.processes:
            return Finding(name="flusher", state="note", found="it has not told of a round yet")
        return Finding(
            name="flusher",
            state="bad",
            found="no flusher runs: what is acknowledged waits",
            next_step="read `logs/flusher.log`; `flyball up` starts it again",
        )
    return _rounds(figures, flusher)


def _rounds(figures: Figures, flusher: Flusher) -> Finding:
    """Of a flusher that has told of rounds."""
    ended_ns, failed_ns = flusher.ended_ns or 0, flusher.failed_ns or 0
    since = (figures.at_ns - max(ended_ns, failed_ns)) / NANOSECONDS
    if since > _SILENT_SECONDS:
        return Finding(
            name="flusher",
            state="bad",
            found=f"has not come through for {_span(since)}",
            next_step="read `logs/flusher.log`; a flusher that is killed is started again",
        )
    if failed_ns > ended_ns:
        return Finding(
            name="flusher",
            state="bad",
            found=f"failed at {_clock(failed_ns)}, for the {flusher.failures:,}. time, and is tried again: {flusher.error}",
            next_step="run `flyball doctor`, which checks the disk and the database",
        )
    failures = (
        f"; {flusher.failures:,} rounds failed since it started, the last at {_clock(failed_ns)}" if failed_ns else ""
    )
    state: State = "note" if failed_ns > figures.at_ns - _LATELY_NS else "good"
    return Finding(name="flusher", state=state, found=f"came through at {_clock(ended_ns)}{failures}")


def compaction(figures: Figures) -> Finding:
    """Whether files are joined as fast as they come."""
    failing = [table for table in figures.tables if table.error]
    if failing:
        found = f"the table {failing[0].name}: {failing[0].error}"
        return Finding(name="compaction", state="bad", found=found, next_step="run `flyball doctor`")
    behind = [table for table in figures.tables if table.behind]
    if behind:
        found = ", ".join(f"{table.name} has {table.small:,} small files" for table in behind)
        return Finding(
            name="compaction",
            state="warn",
            found=f"does not keep up: {found}",
            next_step="read `logs/worker.log`; `flyball runs list` shows what the worker is busy with",
        )
    small = sum(table.small for table in figures.tables)
    return Finding(name="compaction", state="good", found=f"keeps up: {small:,} small files wait to be joined")


def disk(figures: Figures) -> Finding:
    """Room, and until when."""
    free, soon = figures.disk.free, figures.disk.full_in_seconds
    found = f"{_size(free)} of {_size(figures.disk.total)} free"
    if soon is not None:
        found += f", full in {_span(soon)} at the rate of the last hours"
    step = "make room, or shorten how long traces are kept"
    if free < _VERY_LITTLE_FREE or (soon is not None and soon < _SOON_SECONDS):
        return Finding(name="disk", state="bad", found=found, next_step=step)
    if free < _LITTLE_FREE or (soon is not None and soon < _DAYS_SECONDS):
        return Finding(name="disk", state="warn", found=found, next_step=step)
    return Finding(name="disk", state="good", found=found)


def jobs(figures: Figures) -> Finding:
    """Whether runs begin, and how many failed."""
    if figures.jobs is None:
        return Finding(name="runs", state="note", found="nobody can tell: PostgreSQL is away")
    told = figures.jobs
    found = f"{told.running:,} run, {told.queued:,} wait, {told.failed_lately:,} failed within a day"
    waited = figures.at_ns - told.oldest_queued_ns if told.oldest_queued_ns else 0
    if waited > _LONG_QUEUED_NS and not told.running:
        found += f"; the oldest has waited for {_span(waited / NANOSECONDS)} and none begins"
        return Finding(name="runs", state="bad", found=found, next_step="read `logs/worker.log`")
    if told.failed_lately:
        return Finding(name="runs", state="note", found=found, next_step="`flyball runs list --status failed`")
    return Finding(name="runs", state="good", found=found)


def processes(figures: Figures) -> Finding:
    """Whether all run, and tell of themselves."""
    dead = [one for one in figures.processes if not one.running and one.ended]  # those that never ended are to come
    silent = [one for one in figures.processes if one.running and (one.silent_seconds or 0) > _SILENT_SECONDS]
    again = [
        one
        for one in figures.processes
        if one.restarts and one.started_ns is not None and one.started_ns > figures.at_ns - _LATELY_NS
    ]
    if dead:
        found = ", ".join(one.role + (f" ({one.ended})" if one.ended else "") for one in dead)
        return Finding(
            name="processes", state="bad", found=f"not running: {found}", next_step=f"read `logs/{dead[0].role}.log`"
        )
    if silent:
        found = ", ".join(f"{one.role} for {_span(one.silent_seconds or 0)}" for one in silent)
        return Finding(
            name="processes", state="bad", found=f"silent: {found}", next_step=f"read `logs/{silent[0].role}.log`"
        )
    if again:
        found = ", ".join(
            f"{one.role} ({_times(one.restarts)}{', it ' + one.ended if one.ended else ''})" for one in again
        )
        return Finding(
            name="processes",
            state="warn",
            found=f"started again within the hour: {found}",
            next_step=f"read `logs/{again[0].role}.log`",
        )
    if not any(one.role == SUPERVISOR for one in figures.processes):
        return Finding(
            name="processes",
            state="note",
            found="no supervisor tells of any: this server was not started by `flyball up`",
        )
    return Finding(name="processes", state="good", found=f"all {len(figures.processes)} run")


def database(figures: Figures) -> Finding:
    """Whether PostgreSQL answers, has room for connections, and has nothing that takes long."""
    told = figures.postgres
    if told.away:
        return Finding(name="PostgreSQL", state="bad", found=told.away, next_step="run `flyball doctor`")
    connections, most = told.connections or 0, told.most_connections or 0
    found = f"{connections} of {most} connections, answered in {(told.answered_ns or 0) / 1e6:.0f} ms"
    if told.slow:
        found += f"; {told.slow} statements run, the longest for {_span(told.slowest_seconds or 0)}"
        return Finding(name="PostgreSQL", state="warn", found=found, next_step="find them in `pg_stat_activity`")
    if most and connections > 0.8 * most:
        step = "lower FLYBALL_DATABASE_POOL or raise the server's max_connections"
        return Finding(name="PostgreSQL", state="warn", found=found, next_step=step)
    if (told.answered_ns or 0) > _SLOW_ANSWER_NS:
        return Finding(name="PostgreSQL", state="warn", found=found, next_step="run `flyball doctor`")
    return Finding(name="PostgreSQL", state="good", found=found)


def spools(figures: Figures) -> Finding:
    """Whether what gateway workers recorded finds its way."""
    every = [(gateway, spool) for gateway in figures.gateways for spool in gateway.spools]
    dropped = sum(spool.dropped for _, spool in every)
    waits = sum(spool.bytes for _, spool in every)
    if dropped:
        return Finding(
            name="gateway's records",
            state="bad",
            found=f"{dropped:,} found no room in a spool since the workers started and are lost",
            next_step="set FLYBALL_SPOOL_BYTES higher, and see why PostgreSQL was away",
        )
    if any(spool.bytes * 2 > spool.room for _, spool in every):
        found = f"{_size(waits)} wait in spools, which are more than half full"
        return Finding(name="gateway's records", state="warn", found=found, next_step="run `flyball doctor`")
    if not every:
        return Finding(name="gateway's records", state="note", found="no gateway worker has told of itself yet")
    return Finding(name="gateway's records", state="good", found=f"none lost; {_size(waits)} wait in spools")


def ingest(figures: Figures) -> Finding:
    """Whether requests are turned away, since too much waits or the disk is full."""
    if figures.turned_away_rate:
        return Finding(
            name="ingest",
            state="bad",
            found=f"{figures.turned_away_rate:.1f} requests per second are turned away, {figures.turned_away:,} since the start",
            next_step=_why_slow(figures),
        )
    if figures.turned_away:
        found = f"takes everything; {figures.turned_away:,} requests were turned away since the start"
        return Finding(name="ingest", state="note", found=found)
    return Finding(name="ingest", state="good", found="takes everything")


def aside(figures: Figures) -> Finding:
    """Whether records cannot be moved into their tables."""
    if figures.aside is None:
        return Finding(name="set aside", state="note", found="nobody can tell: PostgreSQL is away")
    if figures.aside:
        return Finding(
            name="set aside",
            state="warn",
            found=f"{figures.aside:,} records set aside: they cannot be moved into their tables, and nothing else waits for them",
            next_step="`flyball traces aside` in each project says why; `flyball traces retry` tries them again",
        )
    return Finding(name="set aside", state="good", found="no record: what is acknowledged gets into the tables")


def unended(figures: Figures) -> Finding:
    """Whether a project has more spans that do not end than are kept open."""
    if figures.given_up:
        return Finding(
            name="open spans",
            state="note",
            found=f"{figures.given_up:,} were given up since the flusher started: a project has more that do not end than are kept",
            next_step="`flyball sql` finds them: spans with the attribute flyball.unended",
        )
    return Finding(name="open spans", state="good", found="none was given up")


CHECKS: tuple[Check, ...] = (
    objective,
    lag,
    ingest,
    flushing,
    aside,
    unended,
    compaction,
    disk,
    jobs,
    processes,
    database,
    spools,
)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _clock(ns: int) -> str:
    return f"{to_datetime(ns):%H:%M:%S} UTC"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
