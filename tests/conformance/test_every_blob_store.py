"""One suite over every kind of place that blobs may lie in: a folder, and an object store as fsspec speaks to one."""

import secrets

import pytest

from flyball.infra.blobs.errors import BlobDamagedError, BlobMissingError
from flyball.infra.blobs.store import Blobs
from flyball.kit.errors import InvalidInputError
from flyball.kit.hashing import bytes_hash


@pytest.fixture(params=["file", "memory"])
def blobs(request, tmp_path):
    where = tmp_path.as_uri() if request.param == "file" else f"memory://{secrets.token_hex(8)}"
    return Blobs(where)


@pytest.mark.parametrize("data", [b"", b"one", secrets.token_bytes(3_000_000)], ids=["empty", "small", "large"])
def test_what_is_put_is_got_by_its_hash(blobs, data):
    hash_ = blobs.put(data)

    assert hash_ == bytes_hash(data)
    assert blobs.has(hash_)
    assert blobs.get(hash_) == data


def test_putting_twice_is_putting_once(blobs):
    assert blobs.put(b"the same") == blobs.put(b"the same")
    assert blobs.get(bytes_hash(b"the same")) == b"the same"


def test_what_was_never_put_is_missing_by_name(blobs):
    absent = bytes_hash(b"never")

    assert not blobs.has(absent)
    with pytest.raises(BlobMissingError, match=absent):
        blobs.get(absent)


@pytest.mark.parametrize("name", ["../secret", "sha256:short", "", "sha256:" + "g" * 64])
def test_only_a_hash_is_looked_up(blobs, name):
    with pytest.raises(InvalidInputError):
        blobs.get(name)


def test_bytes_that_changed_behind_its_back_are_not_given_out(blobs):
    hash_ = blobs.put(b"as it was")
    blobs._files.pipe_file(blobs._path(hash_), b"as it is!")

    with pytest.raises(BlobDamagedError):
        blobs.get(hash_)
