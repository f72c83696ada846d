"""The figures as metrics: which name, unit and labels each has. Base units; a counter is what only grows while its process lives.

What is not known now has no sample, and never 0. Names are stable: they stand in docs/operations.md.
"""

from collections.abc import Iterable, Iterator

from flyball.kit.clock import NANOSECONDS

from .exposition import Family, Sample, family
from .records import Figures, Health

_STATES = ("unmeasured", "met", "burning", "missed")


def families_of(health: Health) -> Iterator[Family]:
    """Every family, in the order in which they are written."""
    figures = health.figures
    yield family("flyball_build", "info", "The version that runs.", [Sample(1, {"version": figures.version})])
    yield from _objective(figures)
    yield from _records(figures)
    yield _turned_away(figures)
    yield _one("flyball_records_set_aside", "Records that cannot be moved into their tables.", figures.aside)
    yield family(
        "flyball_open_spans_given_up",
        "counter",
        "Spans that do not end, and parts of spans, that were more than a project may have.",
        [Sample(figures.given_up)],
    )
    yield from _flushing(figures)
    yield from _tables(figures)
    yield from _machine(figures)
    yield from _processes(figures)
    yield from _gateways(figures)
    yield family(
        "flyball_finding",
        "gauge",
        "What the page of health says: 0 good, 1 worth knowing, 2 not for long, 3 do something.",
        [Sample(("good", "note", "warn", "bad").index(one.state), {"name": one.name}) for one in health.findings],
    )


def _objective(figures: Figures) -> Iterator[Family]:
    stands = figures.attainment
    yield _one(
        "flyball_lag_objective_seconds", "How long a record waits at most for its table.", stands.objective.seconds
    )
    yield _one("flyball_lag_objective_ratio", "In which share of the minutes of a day.", stands.objective.percent / 100)
    yield _one(
        "flyball_lag_attained_ratio",
        "The share of measured minutes of the last day in which it held.",
        None if stands.percent is None else stands.percent / 100,
    )
    yield _one("flyball_lag_measured_minutes", "Minutes of the last day that were measured.", stands.measured)
    yield _one(
        "flyball_lag_missed_minutes",
        "Minutes of the last day that were slower, or could not be measured.",
        stands.missed,
    )
    yield _one(
        "flyball_lag_error_budget_ratio",
        "The share of the allowed minutes that is left; below 0: overdrawn.",
        stands.left,
    )
    yield _one("flyball_lag_burn_rate", "How many times faster than allowed the last hour used it up.", stands.burn)
    yield family(
        "flyball_lag_objective_state",
        "gauge",
        "How the objective stands: 1 for the state that it is in.",
        [Sample(float(stands.state == state), {"state": state}) for state in _STATES],
    )


def _records(figures: Figures) -> Iterator[Family]:
    waiting = figures.waiting or ()
    yield _per(
        "flyball_lag_seconds",
        "How long the oldest record waits.",
        ((one.kind, one.lag_ns / NANOSECONDS) for one in waiting),
    )
    yield _per(
        "flyball_inbox_records", "Acknowledged and not yet in a table.", ((one.kind, one.records) for one in waiting)
    )
    yield _per("flyball_inbox_bytes", "What they take in the inbox.", ((one.kind, one.bytes) for one in waiting))
    yield _per(
        "flyball_records_acknowledged",
        "Records that were durable before they were acknowledged.",
        ((one.kind, one.acknowledged) for one in figures.flows),
        counter=True,
    )
    yield _per(
        "flyball_records_refused",
        "Records that were refused, by name.",
        ((one.kind, one.refused) for one in figures.flows),
        counter=True,
    )
    yield _per(
        "flyball_records_stored",
        "Records that were moved into tables.",
        ((one.kind, one.stored) for one in figures.flows),
        counter=True,
    )


def _turned_away(figures: Figures) -> Family:
    help_ = "Requests of OTLP that were told to come again, since too much waits or the disk is full."
    return family("flyball_requests_turned_away", "counter", help_, [Sample(figures.turned_away)])


def _flushing(figures: Figures) -> Iterator[Family]:
    yield _per(
        "flyball_flushes",
        "Batches that were moved.",
        ((one.kind, one.flushes) for one in figures.flushes),
        counter=True,
    )
    yield _per(
        "flyball_flush_seconds",
        "How long that took.",
        ((one.kind, one.seconds) for one in figures.flushes),
        counter=True,
    )
    yield _per(
        "flyball_flush_batch_number",
        "The number of the last batch of all time.",
        ((one.kind, one.number) for one in figures.flushes),
    )
    flusher = figures.flusher
    yield family("flyball_flush_failures", "counter", "Rounds of the flusher that failed.", [Sample(flusher.failures)])
    yield _one(
        "flyball_flush_last_success_timestamp_seconds",
        "When the flusher came through last.",
        None if flusher.ended_ns is None else flusher.ended_ns / NANOSECONDS,
    )


def _tables(figures: Figures) -> Iterator[Family]:
    of = figures.tables
    yield _per("flyball_table_rows", "Rows of a table.", ((one.name, one.rows) for one in of), label="table")
    yield _per("flyball_table_bytes", "What its files hold.", ((one.name, one.bytes) for one in of), label="table")
    yield _per("flyball_table_files", "Its files.", ((one.name, one.files) for one in of), label="table")
    yield _per(
        "flyball_table_small_files",
        "Files that wait to be joined.",
        ((one.name, one.small) for one in of),
        label="table",
    )
    yield _per(
        "flyball_compactions",
        "How often files were joined.",
        ((one.name, one.compactions) for one in of),
        label="table",
        counter=True,
    )
    yield _per(
        "flyball_compaction_last_timestamp_seconds",
        "When that was last.",
        ((one.name, one.last_compaction_ns / NANOSECONDS) for one in of if one.last_compaction_ns),
        label="table",
    )


def _machine(figures: Figures) -> Iterator[Family]:
    disk, postgres, jobs = figures.disk, figures.postgres, figures.jobs
    yield _one("flyball_disk_free_bytes", "Of the disk with the least room.", disk.free)
    yield _one("flyball_disk_size_bytes", "Of the same disk.", disk.total)
    yield _per(
        "flyball_disk_used_bytes",
        "By part of the data directory.",
        ((one.name, one.bytes) for one in disk.parts),
        label="part",
    )
    yield _one("flyball_disk_full_seconds", "Until it is full at the rate of the last hours.", disk.full_in_seconds)
    if jobs is not None:
        by_state = {"queued": jobs.queued, "running": jobs.running, "failed within a day": jobs.failed_lately}
        yield _per("flyball_runs", "Runs, by state.", by_state.items(), label="state")
        waited = (figures.at_ns - jobs.oldest_queued_ns) / NANOSECONDS if jobs.oldest_queued_ns else 0.0
        yield _one("flyball_run_oldest_queued_seconds", "How long the oldest waits to begin.", waited)
    yield _one("flyball_postgres_up", "Whether PostgreSQL answers.", float(not postgres.away))
    yield _one(
        "flyball_postgres_answer_seconds",
        "How soon.",
        None if postgres.answered_ns is None else postgres.answered_ns / NANOSECONDS,
    )
    yield _one("flyball_postgres_connections", "Who is connected.", postgres.connections)
    yield _one("flyball_postgres_max_connections", "Who may be.", postgres.most_connections)
    yield _one("flyball_postgres_size_bytes", "Of the database.", postgres.bytes)
    yield _one("flyball_postgres_slow_statements", "Statements that have run for more than 5 s.", postgres.slow)


def _processes(figures: Figures) -> Iterator[Family]:
    of = figures.processes
    label = "process"
    yield _per("flyball_process_up", "Whether it runs.", ((one.role, float(one.running)) for one in of), label=label)
    yield _per(
        "flyball_process_restarts",
        "How often it was started again.",
        ((one.role, one.restarts) for one in of),
        label=label,
        counter=True,
    )
    yield _per(
        "flyball_process_resident_memory_bytes",
        "Its memory; of PostgreSQL all processes together.",
        ((one.role, one.memory) for one in of if one.memory is not None),
        label=label,
    )
    yield _per(
        "flyball_process_cpu_seconds",
        "Its processor time.",
        ((one.role, one.cpu_seconds) for one in of if one.cpu_seconds is not None),
        label=label,
        counter=True,
    )
    yield _per(
        "flyball_process_start_timestamp_seconds",
        "When it began.",
        ((one.role, one.started_ns / NANOSECONDS) for one in of if one.started_ns is not None),
        label=label,
    )
    yield _per(
        "flyball_process_silent_seconds",
        "Since it told of itself last.",
        ((one.role, one.silent_seconds) for one in of if one.silent_seconds is not None),
        label=label,
    )


def _gateways(figures: Figures) -> Iterator[Family]:
    of = figures.gateways
    yield _per(
        "flyball_gateway_calls",
        "Model calls that were let in.",
        ((one.role, one.calls) for one in of),
        label="worker",
        counter=True,
    )
    yield _per(
        "flyball_gateway_refused",
        "Calls that found the worker full.",
        ((one.role, one.refused) for one in of),
        label="worker",
        counter=True,
    )
    yield _per(
        "flyball_gateway_in_flight", "Calls that run.", ((one.role, one.in_flight) for one in of), label="worker"
    )
    every = [(one.role, spool) for one in of for spool in one.spools]
    yield family(
        "flyball_spool_bytes",
        "gauge",
        "What workers recorded and PostgreSQL does not have yet.",
        [Sample(spool.bytes, {"worker": role, "of": spool.of}) for role, spool in every],
    )
    yield family(
        "flyball_spool_dropped",
        "counter",
        "Records that found no room.",
        [Sample(spool.dropped, {"worker": role, "of": spool.of}) for role, spool in every],
    )


def _one(name: str, help_: str, value: float | None) -> Family:
    return family(name, "gauge", help_, [] if value is None else [Sample(value)])


def _per(
    name: str, help_: str, values: Iterable[tuple[str, float]], *, label: str = "kind", counter: bool = False
) -> Family:
    samples = [Sample(value, {label: of}) for of, value in values]
    return family(name, "counter" if counter else "gauge", help_, samples)
