"""What is said of figures: each finding, with its next step, from figures that are well but for one thing."""

import re
from pathlib import Path

import msgspec
import pytest

from flyball.health.judging import judge
from flyball.health.metrics import families_of
from flyball.health.objective import MINUTE_NS
from flyball.health.places import full_in_seconds
from flyball.health.records import (
    Attainment,
    Disk,
    Figures,
    Flusher,
    Gateway,
    Health,
    Jobs,
    Minute,
    Objective,
    Postgres,
    Process,
    Spool,
    Table,
    Waiting,
)

NOW = 1_700_000_000 * 10**9
GB = 10**9


def well() -> Figures:
    """A server of which nothing asks for anything."""
    stands = Attainment(
        state="met",
        objective=Objective(seconds=2, percent=99),
        measured=1440,
        unmeasured=0,
        missed=3,
        budget=14.4,
        left=0.8,
        percent=99.8,
        burn=0.0,
    )
    return Figures(
        at_ns=NOW,
        version="1",
        attainment=stands,
        waiting=(Waiting(kind="span", records=9, bytes=900, lag_ns=10**9),),
        flows=(),
        turned_away=0,
        turned_away_rate=0.0,
        given_up=0,
        aside=0,
        flushes=(),
        flusher=Flusher(ended_ns=NOW - 10**9),
        tables=(Table(name="spans", rows=9, bytes=9, files=20, small=20, behind=False),),
        disk=Disk(free=90 * GB, total=100 * GB, parts=(), measured_ns=NOW),
        jobs=Jobs(queued=0, running=1, failed_lately=0),
        processes=tuple(
            Process(role=role, pid=number, running=True, restarts=0, started_ns=NOW - 10**13, silent_seconds=1.0)
            for number, role in enumerate(("supervisor", "control", "flusher", "worker"), 1)
        ),
        postgres=Postgres(answered_ns=10**6, connections=9, most_connections=100, bytes=9, slow=0),
        gateways=(
            Gateway(
                role="gateway-1",
                calls=9,
                refused=0,
                in_flight=1,
                spools=(Spool(of="spans", bytes=0, room=100, dropped=0),),
            ),
        ),
        calls_rate=1.0,
    )


def but(**changes) -> Figures:
    return msgspec.structs.replace(well(), **changes)


def standing(state: str, **more) -> Attainment:
    return msgspec.structs.replace(well().attainment, state=state, **more)


def process(role: str, **more) -> tuple[Process, ...]:
    return tuple(msgspec.structs.replace(one, **more) if one.role == role else one for one in well().processes)


def said(figures: Figures) -> dict[str, tuple[str, str, str]]:
    return {one.name: (one.state, one.found, one.next_step) for one in judge(figures)}


def test_of_a_server_that_is_well_everything_is_good():
    assert {state for state, _, _ in said(well()).values()} == {"good"}


@pytest.mark.parametrize(
    ("figures", "name", "state", "found"),
    [
        (but(attainment=standing("missed", missed=20)), "objective for lag", "bad", "missed: 20 of 1,440 minutes were slower, 14.4 may be"),
        (but(attainment=standing("burning", burn=5.0)), "objective for lag", "warn", "the last hour used 5 times what is allowed"),
        (but(attainment=standing("unmeasured")), "objective for lag", "note", "nothing was measured yet"),
        (but(waiting=(Waiting(kind="logs", records=7, bytes=1, lag_ns=9 * 10**9),)), "lag now", "warn", "9.0 s; 7 records wait"),
        (but(waiting=None), "lag now", "bad", "nobody can tell"),
        (but(turned_away=7, turned_away_rate=0.5), "ingest", "bad", "0.5 requests per second are turned away"),
        (but(given_up=7), "open spans", "note", "7 were given up"),
        (but(aside=3), "set aside", "warn", "3 records set aside"),
        (but(turned_away=7), "ingest", "note", "7 requests were turned away"),
        (but(flusher=Flusher(ended_ns=NOW - 2, failed_ns=NOW - 1, failures=3, error="no room")), "flusher", "bad", "no room"),
        (but(flusher=Flusher(ended_ns=NOW - 1, failed_ns=NOW - 2, failures=3)), "flusher", "note", "3 rounds failed"),
        (but(flusher=Flusher(), processes=process("flusher", running=False, ended="was killed")), "flusher", "bad", "no flusher runs"),
        (but(flusher=Flusher(), processes=process("flusher", running=False)), "flusher", "note", "not told of a round yet"),
        (but(processes=process("flusher", running=False, ended="was killed")), "processes", "bad", "flusher (was killed)"),
        (but(processes=process("flusher", running=False)), "processes", "good", "run"),  # it starts when the others are ready
        (but(flusher=Flusher(ended_ns=NOW - 90 * 10**9)), "flusher", "bad", "has not come through for 90 s"),
        (but(flusher=Flusher()), "flusher", "note", "has not told of a round yet"),
        (but(tables=(Table(name="spans", rows=9, bytes=9, files=300, small=290, behind=True),)), "compaction", "warn", "spans has 290 small files"),
        (but(tables=(Table(name="spans", rows=9, bytes=9, files=3, small=2, behind=False, error="torn"),)), "compaction", "bad", "the table spans: torn"),
        (but(disk=Disk(free=10**8, total=GB, parts=(), measured_ns=0)), "disk", "bad", "100.0 MB of 1.0 GB free"),
        (but(disk=Disk(free=GB, total=9 * GB, parts=(), measured_ns=0)), "disk", "warn", "1.0 GB of 9.0 GB free"),
        (but(disk=Disk(free=50 * GB, total=90 * GB, parts=(), measured_ns=0, full_in_seconds=3 * 3600)), "disk", "bad", "full in 3 hours"),
        (but(disk=Disk(free=50 * GB, total=90 * GB, parts=(), measured_ns=0, full_in_seconds=2 * 86_400)), "disk", "warn", "full in 2 days"),
        (but(jobs=Jobs(queued=3, running=0, failed_lately=0, oldest_queued_ns=NOW - 600 * 10**9)), "runs", "bad", "waited for 10 minutes"),
        (but(jobs=Jobs(queued=3, running=1, failed_lately=2, oldest_queued_ns=NOW - 600 * 10**9)), "runs", "note", "2 failed within a day"),
        (but(jobs=None), "runs", "note", "nobody can tell"),
        (but(processes=process("worker", running=False, ended="was killed by signal 9")), "processes", "bad", "worker (was killed by signal 9)"),
        (but(processes=process("control", silent_seconds=90.0)), "processes", "bad", "silent: control for 90 s"),
        (but(processes=process("worker", restarts=2, started_ns=NOW - 10**9, ended="was killed by signal 9")), "processes", "warn", "worker (2 times, it was killed by signal 9)"),
        (but(processes=()), "processes", "note", "no supervisor tells"),
        (but(postgres=Postgres(away="it cannot be reached")), "PostgreSQL", "bad", "cannot be reached"),
        (but(postgres=Postgres(answered_ns=10**6, connections=90, most_connections=100)), "PostgreSQL", "warn", "90 of 100"),
        (but(postgres=Postgres(answered_ns=10**9, connections=9, most_connections=100)), "PostgreSQL", "warn", "1000 ms"),
        (but(postgres=Postgres(answered_ns=1, connections=9, most_connections=100, slow=1, slowest_seconds=200.0)), "PostgreSQL", "warn", "the longest for 3 minutes"),
        (but(gateways=(Gateway(role="g", calls=1, refused=0, in_flight=0, spools=(Spool(of="spans", bytes=0, room=9, dropped=4),)),)), "gateway's records", "bad", "4 found no room"),
        (but(gateways=(Gateway(role="g", calls=1, refused=0, in_flight=0, spools=(Spool(of="spans", bytes=8, room=9, dropped=0),)),)), "gateway's records", "warn", "more than half full"),
        (but(gateways=()), "gateway's records", "note", "no gateway worker"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_what_asks_for_a_deed_names_it(figures, name, state, found):
    told = said(figures)[name]

    assert told[0] == state
    assert found in told[1]
    assert told[2] or state not in ("warn", "bad")


@pytest.mark.parametrize(
    ("wrong", "step"),
    [
        ({"postgres": Postgres(away="gone")}, "PostgreSQL is away"),
        ({"flusher": Flusher(failed_ns=NOW, failures=1, error="x")}, "the flusher does not come through"),
        ({"disk": Disk(free=1, total=2, parts=(), measured_ns=0)}, "make room"),
        ({"tables": (Table(name="spans", rows=1, bytes=1, files=300, small=300, behind=True),)}, "does not keep up"),
        ({"waiting": (Waiting(kind="logs", records=7, bytes=1, lag_ns=9 * 10**9),)}, "let applications sample"),
        ({}, "it holds now; the page `/health` shows when it did not, last at 22:13:20 UTC"),
    ],
)
def test_of_a_missed_objective_the_likely_cause_is_the_next_step(wrong, step):
    assert step in said(but(attainment=standing("missed", last_missed_ns=NOW), **wrong))["objective for lag"][2]


def minutes(free, count=60):
    return [Minute(minute_ns=NOW - ago * MINUTE_NS, samples=1, disk_free=int(free(ago))) for ago in range(count, 0, -1)]


def test_when_the_disk_is_full_is_the_line_through_what_was_free():
    filling = minutes(lambda ago: 10 * GB + ago * GB / 60)  # a GB an hour

    assert full_in_seconds(filling, 10 * GB, NOW) == pytest.approx(36_000, rel=0.01)


def test_a_disk_that_does_not_fill_or_is_known_too_briefly_is_never_full():
    assert full_in_seconds(minutes(lambda ago: 10 * GB - ago), 10 * GB, NOW) is None
    assert full_in_seconds(minutes(lambda _: 10 * GB), 10 * GB, NOW) is None
    assert full_in_seconds(minutes(lambda ago: 10 * GB + ago * GB, count=14), 10 * GB, NOW) is None
    assert full_in_seconds([], 10 * GB, NOW) is None


def test_the_docs_name_every_metric_and_no_other():
    docs = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    told = set(re.findall(r"`(flyball_[a-z_]+)`", docs))
    health = Health(state="good", findings=judge(well()), figures=well())
    ending = {"counter": "_total", "info": "_info"}

    assert told == {family.name + ending.get(family.kind, "") for family in families_of(health)}
