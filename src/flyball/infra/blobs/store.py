"""Bytes by their content hash, in a folder or an object store (any fsspec URL).

Knows hashes and bytes; knows not what they mean. A blob is immutable, appears whole or not at all, is verified when it
is read, and putting it twice is putting it once.
"""

import errno
import os
import re
import secrets
import shutil
from pathlib import Path

import fsspec

from flyball.kit.durable import sync
from flyball.kit.errors import InvalidInputError
from flyball.kit.hashing import bytes_hash

from .errors import BlobDamagedError, BlobMissingError, BlobsAwayError

fsspec.register_implementation("s3", "flyball.infra.blobs.bucket.BucketFiles", clobber=True)

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class Blobs:
    """A store under one URL. Methods block: an async caller uses `asyncio.to_thread`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = fsspec.core.url_to_fs(url)
        self._local = "file" in _protocols(self._files)
        self._apart: dict[str, Blobs] = {}

    def apart(self, name: str) -> "Blobs":
        """A store below this one, for those who delete: what they delete nobody else has put there."""
        if name not in self._apart:
            self._apart[name] = Blobs(f"{self.url.rstrip('/')}/{name}")
        return self._apart[name]

    def put(self, data: bytes) -> str:
        """Keep the bytes; their `sha256:<hex>`.

        Raises:
            BlobsAwayError: the store cannot take them; nothing is left behind.
        """
        hash_ = bytes_hash(data)
        path = self._path(hash_)
        try:
            if self._size(path) == len(data):
                return hash_
            if self._local:
                _write_local(Path(path), data)
            else:
                self._files.pipe_file(path, data)  # object stores make an object visible when it is complete
        except OSError as error:
            raise BlobsAwayError(
                f"the blob {hash_} of {len(data):,} bytes cannot be written to {self.url}: {error}",
                next_step="free space or correct FLYBALL_BLOBS_URL, then repeat; `flyball doctor` shows both",
            ) from error
        return hash_

    def put_file(self, file: Path, hash_: str) -> None:
        """Keep a file whose hash is known, without reading it into memory. The file is given away: do not touch it again.

        Raises:
            BlobsAwayError: the store cannot take it; nothing is left behind.
        """
        path = self._path(hash_)
        try:
            if self._size(path) == file.stat().st_size:
                return
            if self._local:
                _move_local(file, Path(path))
            else:
                self._files.put_file(str(file), path)
        except OSError as error:
            raise BlobsAwayError(
                f"the blob {hash_} cannot be written to {self.url}: {error}",
                next_step="free space or correct FLYBALL_BLOBS_URL, then repeat; `flyball doctor` shows both",
            ) from error

    def get(self, hash_: str) -> bytes:
        """The bytes, proven to be those that the hash names.

        Raises:
            BlobMissingError: there are none.
            BlobDamagedError: what is stored has another hash.
            BlobsAwayError: the store cannot be reached.
        """
        path = self._path(hash_)
        try:
            data = bytes(self._files.cat_file(path))
        except FileNotFoundError:
            raise BlobMissingError(
                f"no blob {hash_} in {self.url}", next_step="restore it from a backup, or make again what it belongs to"
            ) from None
        except OSError as error:
            raise BlobsAwayError(
                f"the blob {hash_} cannot be read from {self.url}: {error}", next_step="run `flyball doctor`"
            ) from error
        found = bytes_hash(data)
        if found != hash_:
            raise BlobDamagedError(
                f"the blob {hash_} in {self.url} reads as {found}",
                next_step="remove the damaged file and restore it from a backup",
            )
        return data

    def has(self, hash_: str) -> bool:
        """Whether there are bytes of this hash."""
        return self._size(self._path(hash_)) is not None

    def delete(self, hash_: str) -> bool:
        """Forget the bytes; False where there are none. The caller knows that nobody else has put the same.

        Raises:
            BlobsAwayError: the store cannot be reached.
        """
        try:
            self._files.rm_file(self._path(hash_))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise BlobsAwayError(
                f"the blob {hash_} cannot be deleted from {self.url}: {error}", next_step="run `flyball doctor`"
            ) from error
        return True

    def _path(self, hash_: str) -> str:
        if not _HASH.fullmatch(hash_):
            raise InvalidInputError(
                f"{hash_!r:.80} is not a blob's hash", next_step="give sha256: and 64 hexadecimal digits"
            )
        digits = hash_.removeprefix("sha256:")
        return f"{self._root}/{digits[:2]}/{digits[2:4]}/{digits}"

    def _size(self, path: str) -> int | None:
        self._files.invalidate_cache()
        try:
            return int(self._files.info(path)["size"])
        except FileNotFoundError:
            return None


def _protocols(files: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return files.protocol if isinstance(files.protocol, tuple) else (files.protocol,)


def _write_local(path: Path, data: bytes) -> None:
    """Beside, to the disk, then into place: a crash at any moment leaves the blob whole or absent."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:  # -- whatever stops it, no half file may be left
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _move_local(file: Path, path: Path) -> None:
    """Into place by its name alone where that is possible, else by a copy; to the disk before it has its name."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            file.replace(beside)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copyfile(file, beside)
        with beside.open("rb") as moved:
            os.fsync(moved.fileno())
        beside.replace(path)
    except BaseException:  # -- whatever stops it, no half file may be left
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)
