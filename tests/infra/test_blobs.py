"""Blobs: whole or absent, verified when read, safe to repeat."""

import subprocess
import sys
from pathlib import Path

import pytest

from flyball.infra.blobs.errors import BlobDamagedError, BlobMissingError, BlobsAwayError
from flyball.infra.blobs.store import Blobs
from flyball.kit.errors import InvalidInputError
from flyball.kit.hashing import bytes_hash


@pytest.fixture(params=["file", "memory"])
def blobs(request, tmp_path) -> Blobs:
    return Blobs((tmp_path / "blobs").as_uri() if request.param == "file" else f"memory://{tmp_path}")


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "blobs"


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 4096])
def test_bytes_come_back_by_their_hash(blobs, data):
    hash_ = blobs.put(data)

    assert hash_ == bytes_hash(data)
    assert blobs.get(hash_) == data
    assert blobs.has(hash_)


def test_putting_twice_is_putting_once(blobs):
    assert blobs.put(b"same") == blobs.put(b"same")


def test_a_hash_that_is_not_there_is_named(blobs):
    absent = bytes_hash(b"absent")

    assert not blobs.has(absent)
    with pytest.raises(BlobMissingError, match=absent):
        blobs.get(absent)


@pytest.mark.parametrize("bad", ["", "sha256:../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "0" * 64])
def test_what_is_not_a_hash_never_becomes_a_path(blobs, bad):
    with pytest.raises(InvalidInputError, match="not a blob's hash"):
        blobs.get(bad)


def test_a_file_that_was_changed_on_disk_is_noticed(folder):
    blobs = Blobs(folder.as_uri())
    hash_ = blobs.put(b"right")
    next(path for path in folder.rglob("*") if path.is_file()).write_bytes(b"wrong")

    with pytest.raises(BlobDamagedError, match=hash_):
        blobs.get(hash_)


def test_a_file_that_a_crash_cut_short_is_written_again(folder):
    blobs = Blobs(folder.as_uri())
    hash_ = blobs.put(b"right")
    next(path for path in folder.rglob("*") if path.is_file()).write_bytes(b"r")

    blobs.put(b"right")

    assert blobs.get(hash_) == b"right"


_ON_A_FULL_DISK = """
import resource, sys
from flyball.infra.blobs.errors import BlobsAwayError
from flyball.infra.blobs.store import Blobs
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Blobs(sys.argv[1]).put(b"x" * 5000)
except BlobsAwayError as error:
    print(error)
"""


def test_a_full_disk_is_a_clear_error_and_leaves_no_file(folder):
    done = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, folder.as_uri()], capture_output=True, text=True, check=True
    )

    assert "5,000 bytes cannot be written" in done.stdout
    assert "free space" in done.stdout
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "blobs").write_text("in the way")

    with pytest.raises(BlobsAwayError, match="cannot be written"):
        Blobs((tmp_path / "blobs").as_uri()).put(b"x")
