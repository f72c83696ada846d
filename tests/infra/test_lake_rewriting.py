"""Taking rows out of a table and changing them: whole files, single rows, beside appends and compaction, in tables of earlier versions too."""

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flyball.infra.lake import compaction
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.maintenance import alone
from flyball.infra.lake.removal import Rewriting
from flyball.infra.lake.schema import TableSchema

COLUMNS = [("project", pa.string()), ("id", pa.string()), ("at", pa.int64()), ("n", pa.int64())]
OLD = TableSchema(name="events", sort_by=("at",), arrow=pa.schema(COLUMNS))
EVENTS = TableSchema(
    name="events",
    partition_by=("project", "day"),
    sort_by=("at",),
    unique=("project", "id"),
    arrow=pa.schema([*COLUMNS, ("day", pa.string())]),
)


def row(at: int, *, project: str = "p", id_: str = "", day: str = "d1") -> dict[str, object]:
    return {"project": project, "id": id_ or f"{project}{at}", "at": at, "n": at, "day": day}


def without(number: int, project: str = "p") -> Rewriting:
    return Rewriting(project, ("n",), lambda rows: pc.equal(rows["n"], number), lambda _: None)


def numbers(lake: Lake) -> list[int]:
    return [found["n"] for found in lake.query("select n from events order by n", tables=(EVENTS,))]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def test_rows_go_from_the_files_that_hold_them_and_other_files_stay(lake: Lake) -> None:
    lake.append(EVENTS, [row(1), row(2)], writer="w", sequence=1)
    lake.append(EVENTS, [row(3), row(2, project="q")], writer="w", sequence=2)
    before = set(lake.files(EVENTS))

    assert lake.rewrite(EVENTS, without(2)) == (1, 1)
    assert numbers(lake) == [1, 2, 3]
    assert len(before & set(lake.files(EVENTS))) == 2
    assert lake.rewrite(EVENTS, without(2)) == (0, 0)


def test_rows_change_in_place(lake: Lake) -> None:
    lake.append(EVENTS, [row(1), row(2)], writer="w", sequence=1)
    doubled = Rewriting(
        "p",
        ("n",),
        lambda rows: pc.equal(rows["n"], 2),
        lambda rows: rows.set_column(3, "n", pc.multiply(rows["n"], 10)),
    )

    assert lake.rewrite(EVENTS, doubled) == (1, 1)
    assert numbers(lake) == [1, 20]


def test_rows_that_go_while_others_append_and_files_are_joined_stay_gone(lake: Lake, tmp_path: Path) -> None:
    for number in range(20):
        lake.append(EVENTS, [row(number)], writer="w", sequence=number + 1)
    stop = threading.Event()

    def join() -> None:
        other = Lake(tmp_path.as_uri())
        while not stop.is_set():
            other.compact(EVENTS, keep_hours=1)

    def append() -> None:
        other = Lake(tmp_path.as_uri())
        for number in range(100, 130):
            other.append(EVENTS, [row(number)], writer="x", sequence=number)

    threads = [threading.Thread(target=join), threading.Thread(target=append)]
    for thread in threads:
        thread.start()
    for number in range(0, 20, 2):
        lake.rewrite(EVENTS, without(number))
    threads[1].join()
    stop.set()
    threads[0].join()

    assert numbers(lake) == [*range(1, 20, 2), *range(100, 130)]


def test_joining_does_not_wait_for_whoever_writes_again(lake: Lake, tmp_path: Path) -> None:
    for number in range(3):
        lake.append(EVENTS, [row(number)], writer="w", sequence=number + 1)
    with alone(tmp_path, EVENTS):
        assert lake.compact(EVENTS) == (0, 0, 0)

    assert lake.compact(EVENTS).joined == 3


def test_whole_files_go_when_all_of_them_is_old(lake: Lake) -> None:
    lake.append(EVENTS, [row(1), row(5, day="d2"), row(1, project="q")], writer="w", sequence=1)

    assert len(lake.drop_before(EVENTS, "p", 5)) == 1
    assert lake.drop_before(EVENTS, "p", 5) == []
    found = lake.query("select project, n from events order by 1", tables=(EVENTS,))
    assert found == [{"project": "p", "n": 5}, {"project": "q", "n": 1}]


def test_purged_files_are_gone_from_the_disk_and_a_file_on_its_way_is_not(lake: Lake, tmp_path: Path) -> None:
    lake.append(EVENTS, [row(1), row(2)], writer="w", sequence=1)
    unfinished = tmp_path / "events" / "part-00.parquet"  # an append that has not said its last word
    unfinished.write_bytes(b"x")
    lake.rewrite(EVENTS, without(2))

    assert lake.purge(EVENTS) == 1
    assert {path.name for path in (tmp_path / "events").glob("*.parquet")} == {
        unfinished.name, *(Path(path).name for path in lake.files(EVENTS))
    }  # fmt: skip


def test_a_row_that_came_twice_is_one_when_files_are_joined(lake: Lake) -> None:
    lake.append(EVENTS, [row(1, id_="a"), row(2, id_="b")], writer="w", sequence=1)
    lake.append(EVENTS, [row(2, id_="b"), row(2, id_="b", project="q")], writer="w", sequence=2)
    lake.append(EVENTS, [row(3, id_="c")], writer="w", sequence=3)
    lake.compact(EVENTS)

    assert numbers(lake) == [1, 2, 2, 3]


def test_a_file_that_fills_half_a_group_of_rows_is_left_as_it_is(lake: Lake) -> None:
    lake.append(EVENTS, [row(number) for number in range(8_192)], writer="w", sequence=1)
    large = set(lake.files(EVENTS))
    for number in range(10_000, 10_003):
        lake.append(EVENTS, [row(number)], writer="w", sequence=number)

    done = lake.compact(EVENTS)

    assert (done.joined, done.made) == (3, 1)
    assert large < set(lake.files(EVENTS))
    assert len(numbers(lake)) == 8_195
    assert lake.extent(EVENTS).small == 0


def test_a_table_of_an_earlier_version_is_read_joined_rewritten_and_gets_old_like_any(lake: Lake) -> None:
    for number in range(3):
        old = {name: value for name, value in row(number).items() if name != "day"}
        lake.append(OLD, [old], writer="w", sequence=number + 1)
    lake.append(EVENTS, [row(10), row(11)], writer="w", sequence=9)
    lake.append(EVENTS, [row(12)], writer="w", sequence=10)

    assert numbers(lake) == [0, 1, 2, 10, 11, 12]
    assert lake.compact(EVENTS).made == 2
    assert lake.rewrite(EVENTS, without(1)).rows == 1
    assert numbers(lake) == [0, 2, 10, 11, 12]
    assert len(lake.drop_before(EVENTS, "p", 5)) == 1
    assert numbers(lake) == [10, 11, 12]


def test_nothing_is_joined_on_a_disk_that_is_nearly_full(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        lake.append(EVENTS, [row(number)], writer="w", sequence=number + 1)
    monkeypatch.setattr(compaction, "_LEAST_FREE", 2**62)

    assert lake.compact(EVENTS).joined == 0
    assert len(lake.files(EVENTS)) == 3
