"""Tables: exactly once, through repeats and kills; versions; compaction; questions that open only what they may."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.infra.lake import parquet
from flyball.infra.lake.errors import (
    LakeAwayError,
    LakeSchemaError,
    LakeVersionError,
    QuestionError,
    QuestionTookTooLongError,
)
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.schema import TableSchema
from flyball.kit.errors import InvalidInputError

EVENTS = TableSchema(
    name="events",
    arrow=pa.schema(
        [("project", pa.string()), ("at_ns", pa.int64()), ("text", pa.string()), ("tags", pa.list_(pa.string()))]
    ),
    sort_by=("at_ns",),
)
WIDER = replace(EVENTS, arrow=EVENTS.arrow.append(pa.field("cost", pa.int64())))


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


def rows(*numbers: int, project: str = "default") -> list[dict]:
    return [{"project": project, "at_ns": number, "text": f"event {number}", "tags": ["a"]} for number in numbers]


def numbers(lake: Lake, **options) -> list[int]:
    found = lake.query("select at_ns from events order by at_ns", tables=[options.pop("table", EVENTS)], **options)
    return [row["at_ns"] for row in found]


def test_a_table_without_an_append_reads_as_empty(lake):
    assert lake.query("select * from events", tables=[EVENTS]) == []
    assert lake.version(EVENTS) is None
    assert lake.files(EVENTS) == []


def test_what_is_appended_is_read_back_with_its_types(lake):
    lake.append(EVENTS, rows(2, 1), writer="w", sequence=1)

    found = lake.query("select * from events where at_ns = ?", [2], tables=[EVENTS])

    assert found == [{"project": "default", "at_ns": 2, "text": "event 2", "tags": ["a"]}]


def test_the_same_number_of_a_writer_is_appended_once(lake):
    outcomes = [lake.append(EVENTS, rows(1), writer="w", sequence=0) for _ in range(3)]

    assert outcomes == [True, False, False]
    assert numbers(lake) == [1]


def test_an_append_of_no_rows_counts_as_its_number(lake):
    assert lake.append(EVENTS, [], writer="w", sequence=1)
    assert not lake.append(EVENTS, rows(1), writer="w", sequence=1)
    assert numbers(lake) == []


def test_rows_without_a_project_are_kept(lake):
    lake.append(EVENTS, [{"at_ns": 1}, *rows(2)], writer="w", sequence=1)

    assert numbers(lake) == [1, 2]


def test_a_number_below_the_last_of_its_writer_is_there_already(lake):
    lake.append(EVENTS, rows(1), writer="w", sequence=5)

    assert not lake.append(EVENTS, rows(2), writer="w", sequence=4)
    assert lake.append(EVENTS, rows(3), writer="other", sequence=1)
    assert lake.last_sequence(EVENTS, "w") == 5


def test_four_writers_of_the_same_number_append_it_once(lake, tmp_path):
    lakes = [Lake(lake.root_url) for _ in range(4)]
    outcomes: list[bool] = []
    threads = [
        threading.Thread(target=lambda one=one: outcomes.append(one.append(EVENTS, rows(7), writer="w", sequence=1)))
        for one in lakes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False, False, False, True]
    assert numbers(lake) == [7]


def test_many_writers_at_once_lose_nothing(lake):
    def work(name: str) -> None:
        mine = Lake(lake.root_url)
        for sequence in range(5):
            mine.append(EVENTS, rows(int(name) * 10 + sequence), writer=name, sequence=sequence)

    threads = [threading.Thread(target=work, args=(str(name),)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert numbers(lake) == [name * 10 + sequence for name in range(4) for sequence in range(5)]


_APPENDER = """
import sys
sys.path.insert(0, {folder!r})
from test_lake import EVENTS, rows
from flyball.infra.lake.lake import Lake
lake = Lake({url!r})
print("ready", flush=True)
for sequence in range(200):
    lake.append(EVENTS, rows(sequence), writer="flusher", sequence=sequence)
"""


def test_an_appender_that_is_killed_and_repeats_from_the_start_doubles_and_loses_nothing(lake):
    code = _APPENDER.format(folder=str(Path(__file__).parent), url=lake.root_url)
    for delay in (0.03, 0.11, 0.05, 0.17):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()

    killed_at = lake.last_sequence(EVENTS, "flusher")
    for sequence in range(60):
        lake.append(EVENTS, rows(sequence), writer="flusher", sequence=sequence)

    assert killed_at is not None
    assert numbers(lake) == list(range(max(60, killed_at + 1)))


def test_an_older_version_reads_as_it_was(lake):
    lake.append(EVENTS, rows(1), writer="w", sequence=1)
    before = lake.version(EVENTS)
    lake.append(EVENTS, rows(2), writer="w", sequence=2)

    assert numbers(lake, versions={"events": before}) == [1]
    assert numbers(lake) == [1, 2]


def test_a_version_that_is_not_there_is_named(lake):
    lake.append(EVENTS, rows(1), writer="w", sequence=1)

    with pytest.raises(LakeVersionError, match="no version 99"):
        numbers(lake, versions={"events": 99})


def test_compaction_joins_files_and_keeps_rows_numbers_and_older_versions(lake):
    for sequence in range(12):
        lake.append(EVENTS, rows(11 - sequence), writer="w", sequence=sequence)
    before = lake.version(EVENTS)

    done = lake.compact(EVENTS)

    assert (done.joined, done.made, done.deleted) == (12, 1, 0)
    assert len(lake.files(EVENTS)) == 1
    assert numbers(lake) == list(range(12))
    assert numbers(lake, versions={"events": before}) == list(range(12))
    assert not lake.append(EVENTS, rows(11), writer="w", sequence=11)
    assert lake.append(EVENTS, rows(12), writer="w", sequence=12)


def test_compaction_deletes_what_is_older_than_is_kept_and_orphans(lake, tmp_path):
    for sequence in range(3):
        lake.append(EVENTS, rows(sequence), writer="w", sequence=sequence)
    orphan = tmp_path / "lake" / "events" / "part-of-a-killed-writer.parquet"
    orphan.write_bytes(b"half")

    done = lake.compact(EVENTS, keep_hours=0)

    assert done.deleted == 4
    assert not orphan.exists()
    assert numbers(lake) == [0, 1, 2]


def test_compaction_keeps_projects_apart_and_files_are_left_out_by_predicate(lake):
    for sequence in range(3):
        both = rows(sequence) + rows(sequence + 100, project="other")
        lake.append(EVENTS, both, writer="w", sequence=sequence)
    lake.compact(EVENTS)

    assert len(lake.files(EVENTS)) == 2
    assert len(lake.files(EVENTS, where="project = 'other'")) == 1
    assert lake.files(EVENTS, where="project = 'nobody'") == []
    assert len(lake.files(EVENTS, where="at_ns >= 50")) == 1
    assert numbers(lake, where={"events": "project = 'other'"}) == [100, 101, 102]


def test_a_compaction_beside_appends_loses_nothing(lake):
    for sequence in range(10):
        lake.append(EVENTS, rows(sequence), writer="w", sequence=sequence)
    other = Lake(lake.root_url)
    thread = threading.Thread(target=lambda: [other.compact(EVENTS) for _ in range(5)])
    thread.start()
    for sequence in range(10, 30):
        lake.append(EVENTS, rows(sequence), writer="w", sequence=sequence)
    thread.join()

    assert numbers(lake) == list(range(30))


def test_a_column_that_is_added_reads_as_null_where_it_was_not_written(lake):
    lake.append(EVENTS, rows(1), writer="w", sequence=1)
    assert lake.query("select cost from events", tables=[WIDER]) == [{"cost": None}]

    lake.append(WIDER, [{**rows(2)[0], "cost": 5}], writer="w", sequence=2)
    expected = [{"at_ns": 1, "cost": None}, {"at_ns": 2, "cost": 5}]

    assert lake.query("select at_ns, cost from events order by at_ns", tables=[WIDER]) == expected
    assert numbers(lake) == [1, 2]  # a process with the older declaration
    assert lake.append(EVENTS, rows(3), writer="w", sequence=3)
    lake.compact(WIDER)
    assert lake.query("select sum(cost) as cost, count(*) as n from events", tables=[WIDER]) == [{"cost": 5, "n": 3}]


@pytest.mark.parametrize("bad", [[{"nowhere": 1}], [{"at_ns": "not a number"}], pa.table({"at_ns": ["x"]})])
def test_rows_that_do_not_fit_are_refused_by_name(lake, bad):
    with pytest.raises(LakeSchemaError, match="table events"):
        lake.append(EVENTS, bad, writer="w", sequence=1)

    assert lake.version(EVENTS) is None


def test_tables_in_memory_join_tables_on_disk(lake):
    lake.append(EVENTS, rows(1), writer="w", sequence=1)
    head = pa.Table.from_pylist(rows(2), schema=EVENTS.arrow)

    found = lake.query(
        "select at_ns from events union all select at_ns from head order by 1",
        tables=[EVENTS],
        relations={"head": head},
    )

    assert [row["at_ns"] for row in found] == [1, 2]


def test_a_persons_select_is_answered(lake):
    lake.append(EVENTS, rows(1, 2), writer="w", sequence=1)

    assert lake.ask("with e as (select * from events) select count(*) as n from e", tables=[EVENTS]) == [{"n": 2}]
    assert len(lake.ask("select * from events", tables=[EVENTS], most_rows=1)) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from glob('/etc/*')",
        "copy (select 1) to '/tmp/flyball-leak.csv'",
        "attach '/tmp/flyball-leak.db'",
        "set enable_external_access = true",
        "install httpfs",
        "load httpfs",
        "select 1; select 2",
        "delete from events",
        "select * from nowhere",
        "selec",
        "",
        "select * from read_parquet('https://example.com/x.parquet')",
    ],
)
def test_a_persons_sql_that_is_more_than_a_question_is_refused(lake, sql):
    lake.append(EVENTS, rows(1), writer="w", sequence=1)

    with pytest.raises((QuestionError, LakeAwayError)):
        lake.ask(sql, tables=[EVENTS])


def test_a_question_stops_at_its_deadline(lake):
    with pytest.raises(QuestionTookTooLongError, match=r"0\.2 s"):
        lake.query("select count(*) from range(100000000000) a, range(1000) b", deadline_seconds=0.2)


def test_a_remote_folder_is_refused_at_the_start():
    with pytest.raises(InvalidInputError, match="s3://"):
        Lake("s3://bucket/lake")


_ON_A_FULL_DISK = """
import resource, sys
sys.path.insert(0, {folder!r})
from test_lake import EVENTS, rows
from flyball.infra.lake.errors import LakeAwayError
from flyball.infra.lake.lake import Lake
lake = Lake({url!r})
lake.append(EVENTS, rows(1), writer="w", sequence=1)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
many = [dict(row, text=str(row["at_ns"] ** 7)) for row in rows(*range(2, 3000))]
try:
    lake.append(EVENTS, many, writer="w", sequence=2)
except LakeAwayError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [8192, 300])  # the rows' file does not fit; the log's entry does not fit either
def test_a_full_disk_is_a_clear_error_that_leaves_nothing_and_the_append_may_be_repeated(lake, tmp_path, limit):
    code = _ON_A_FULL_DISK.format(folder=str(Path(__file__).parent), url=lake.root_url, limit=limit)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "the table events cannot be written" in done.stdout
    assert "free space" in done.stdout
    assert numbers(lake) == [1]
    assert len(list((tmp_path / "lake" / "events").glob("*.parquet"))) == 1
    assert lake.append(EVENTS, rows(2), writer="w", sequence=2)
    assert numbers(lake) == [1, 2]


def test_while_a_piece_is_written_the_next_is_made_and_none_beyond(lake, monkeypatch):
    made, told, write, next_is_made = [], [], parquet.write, threading.Event()

    def slow(*arguments, **options):
        assert next_is_made.wait(10)
        next_is_made.clear()
        told.append(len(made))
        return write(*arguments, **options)

    def pieces():
        for number in range(4):
            made.append(number)
            if number:
                next_is_made.set()
            yield rows(number)
        next_is_made.set()

    monkeypatch.setattr(parquet, "write", slow)
    assert lake.append(EVENTS, pieces, writer="w", sequence=1)

    assert numbers(lake) == [0, 1, 2, 3]
    assert told == [2, 3, 4, 4]


@pytest.mark.parametrize("fails", ["making", "writing"])
def test_a_piece_that_fails_leaves_none_of_those_before_it(lake, tmp_path, monkeypatch, fails):
    write = parquet.write

    def full(table, folder, data, **options):
        if fails == "writing" and data["at_ns"][0].as_py() == 2:
            raise OSError(28, "No space left on device")
        return write(table, folder, data, **options)

    def pieces():
        yield rows(0)
        yield rows(1)
        if fails == "making":
            raise OSError(28, "No space left on device")
        yield rows(2)
        yield rows(3)

    monkeypatch.setattr(parquet, "write", full)
    with pytest.raises(LakeAwayError, match="No space left"):
        lake.append(EVENTS, pieces, writer="w", sequence=1)

    assert list((tmp_path / "lake" / "events").glob("*.parquet")) == []
    assert numbers(lake) == []


def test_where_no_thread_can_be_had_pieces_are_written_all_the_same(lake, monkeypatch):
    start, tries = threading.Thread.start, []

    def refused(thread):
        if thread.name.startswith("parquet"):
            tries.append(thread)
            if len(tries) == 1:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert lake.append(EVENTS, lambda: map(rows, range(3)), writer="w", sequence=1)

    assert tries
    assert numbers(lake) == [0, 1, 2]


def test_what_the_disk_said_is_told_though_the_next_piece_fails_too(lake, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    def pieces():
        yield rows(0)
        raise ValueError("no rows")

    monkeypatch.setattr(parquet, "write", full)
    with pytest.raises(LakeAwayError, match="No space left"):
        lake.append(EVENTS, pieces, writer="w", sequence=1)


def test_a_log_that_cannot_take_the_commit_leaves_nothing(lake, tmp_path, monkeypatch):
    lake.append(EVENTS, rows(1), writer="w", sequence=1)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("flyball.infra.lake.parquet.sync_folder", full)
        with pytest.raises(LakeAwayError, match="No space left"):
            lake.append(EVENTS, rows(2), writer="w", sequence=2)

    assert len(list((tmp_path / "lake" / "events").glob("*.parquet"))) == 1
    assert lake.append(EVENTS, rows(2), writer="w", sequence=2)


def test_a_table_that_was_deleted_behind_our_back_reads_as_empty_and_is_made_again(lake, tmp_path):
    lake.append(EVENTS, rows(1), writer="w", sequence=1)
    assert numbers(lake) == [1]
    shutil.rmtree(tmp_path / "lake" / "events")

    assert numbers(lake) == []
    assert lake.append(EVENTS, rows(2), writer="w", sequence=1)
    assert numbers(lake) == [2]
