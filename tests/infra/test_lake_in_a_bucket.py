"""Tables in a bucket that speaks S3: appends exactly once, whoever writes; reading through copies; compaction, erasure, versions."""

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flyball.infra.blobs.store import Blobs
from flyball.infra.lake.errors import LakeAwayError
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.places import BucketPlace
from flyball.infra.lake.removal import Rewriting
from flyball.infra.lake.schema import TableSchema
from flyball.kit.hashing import bytes_hash

EVENTS = TableSchema(
    name="events",
    sort_by=("at",),
    arrow=pa.schema([("project", pa.string()), ("at", pa.int64()), ("n", pa.int64())]),
)
BUCKET = "flyball-lake"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with (
        socket.socket() as free
    ):  # a process of its own: some calls of the library hold the interpreter while they wait
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    moto = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    moto.kill()
    moto.wait()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    store = boto3.resource("s3", endpoint_url=server, region_name="us-east-1")
    made = store.create_bucket(Bucket=BUCKET)
    yield f"s3://{BUCKET}/tables"
    made.objects.all().delete()
    made.delete()


def rows(*numbers: int, project: str = "default") -> list[dict[str, object]]:
    return [{"project": project, "at": number, "n": number} for number in numbers]


def numbers(lake: Lake) -> list[int]:
    return [row["n"] for row in lake.query("select n from events order by n", tables=(EVENTS,))]


def test_what_one_machine_appends_another_one_reads(bucket: str, tmp_path: Path) -> None:
    here, there = Lake(bucket, copies=tmp_path / "here"), Lake(bucket, copies=tmp_path / "there")
    assert numbers(there) == []
    assert here.append(EVENTS, rows(1, 2), writer="w", sequence=1)
    assert not here.append(EVENTS, rows(1, 2), writer="w", sequence=1)
    assert numbers(there) == [1, 2]
    assert there.append(EVENTS, rows(3), writer="w", sequence=2)

    assert numbers(here) == [1, 2, 3]
    assert here.last_sequence(EVENTS, "w") == 2
    assert here.ask("select sum(n) as s from events", tables=(EVENTS,)) == [{"s": 6}]


def test_two_writers_at_once_lose_and_double_nothing(bucket: str, tmp_path: Path) -> None:
    lakes = [Lake(bucket, copies=tmp_path / str(number)) for number in range(3)]
    begin = threading.Barrier(3)
    lakes[0].append(EVENTS, rows(0), writer="first", sequence=1)

    def write(number: int) -> None:
        begin.wait()
        for sequence in range(1, 6):
            value = 100 * (number + 1) + sequence
            lakes[number].append(EVENTS, rows(value), writer=f"w{number}", sequence=sequence)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))

    assert numbers(lakes[0]) == sorted([0, *(100 * (w + 1) + s for w in range(3) for s in range(1, 6))])


def test_joined_files_and_lost_copies_change_nothing_of_what_is_read(bucket: str, tmp_path: Path) -> None:
    lake = Lake(bucket, copies=tmp_path / "here")
    for number in range(6):
        lake.append(EVENTS, rows(number), writer="w", sequence=number + 1)
    done = lake.compact(EVENTS, keep_hours=0)
    shutil.rmtree(tmp_path / "here")
    (tmp_path / "here" / "events").mkdir(parents=True)

    assert (done.joined, done.made) == (6, 1)
    assert numbers(Lake(bucket, copies=tmp_path / "here")) == list(range(6))


def test_rows_that_are_taken_out_are_in_no_object_any_more(bucket: str, server: str, tmp_path: Path) -> None:
    lake = Lake(bucket, copies=tmp_path / "here")
    lake.append(EVENTS, rows(1, 2, 3), writer="w", sequence=1)
    gone = lake.rewrite(EVENTS, Rewriting("default", ("n",), lambda table: pc.equal(table["n"], 2), lambda _: None))
    lake.purge(EVENTS)
    store = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    parquet = [
        each["Key"]
        for each in store.list_objects_v2(Bucket=BUCKET)["Contents"]
        if each["Key"].endswith(".parquet") and "_delta_log" not in each["Key"]
    ]

    assert gone == (1, 1)
    assert numbers(lake) == [1, 3]
    assert len(parquet) == 1
    assert [path.name for path in (tmp_path / "here" / "events").glob("*.parquet")] == [parquet[0].rsplit("/", 1)[-1]]


def test_another_program_reads_the_bucket(bucket: str, server: str, tmp_path: Path) -> None:
    Lake(bucket, copies=tmp_path / "here").append(EVENTS, rows(1, 2), writer="w", sequence=1)
    options = {
        "endpoint_url": server,
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
        "aws_region": "us-east-1",
        "allow_http": "true",
    }

    assert pl.read_delta(f"{bucket}/events", storage_options=options)["n"].sort().to_list() == [1, 2]


def test_copies_are_kept_within_bounds(bucket: str, tmp_path: Path) -> None:
    lake = Lake(bucket, copies=tmp_path / "here")
    for number in range(4):
        lake.append(EVENTS, rows(number), writer="w", sequence=number + 1)
    BucketPlace(f"{bucket}/events", tmp_path / "here" / "events").trim(0)

    assert list((tmp_path / "here" / "events").glob("*.parquet")) == []
    assert numbers(Lake(bucket, copies=tmp_path / "here")) == [0, 1, 2, 3]


def test_a_bucket_that_is_away_is_told_as_such(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    lake = Lake(bucket, copies=tmp_path / "here")

    with pytest.raises(LakeAwayError):
        lake.append(EVENTS, rows(1), writer="w", sequence=1)


def test_blobs_lie_in_the_bucket_too(bucket: str, tmp_path: Path) -> None:
    blobs = Blobs(bucket.replace("tables", "blobs"))
    hash_ = blobs.put(b"large" * 100_000)
    (tmp_path / "file").write_bytes(b"a file")
    of_file = bytes_hash(b"a file")
    blobs.put_file(tmp_path / "file", of_file)

    assert Blobs(blobs.url).get(hash_) == b"large" * 100_000
    assert (blobs.has(hash_), blobs.get(of_file)) == (True, b"a file")
    assert (blobs.delete(hash_), blobs.has(hash_), blobs.delete(hash_)) == (True, False, False)
