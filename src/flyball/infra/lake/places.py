"""Where one table lies: in a folder, or in a bucket of an object store with a folder of copies in front of it.

Files of a table never change, so that a copy is as good as the original: what is written goes up and stays here, what is read
and not here comes down once. Knows files by their names; knows neither rows nor transactions.
"""

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from deltalake.transaction import AddAction
from pyarrow import fs

from . import parquet

_AT_ONCE = 8  # files on their way up or down
_PIECE = 8 * 1024 * 1024


class Place(Protocol):
    """A table's place. `url` and `options` are what opens its log; `folder` is where its files lie, or their copies."""

    url: str
    options: dict[str, str] | None
    folder: Path

    def exists(self) -> bool:
        """Whether there may be a table."""
        ...

    def make(self) -> None:
        """Prepare for a new table."""
        ...

    def fetch(self, names: Iterable[str]) -> list[Path]:
        """The paths of files, which are there when this returns."""
        ...

    def publish(self, actions: Sequence[AddAction]) -> None:
        """Files that were written into the folder are where everybody finds them, for good."""
        ...

    def discard(self, actions: Sequence[AddAction]) -> None:
        """Take back files that no transaction came to name."""
        ...

    def settle(self, versions: Iterable[int]) -> None:
        """The transactions that made these versions survive a loss of power."""
        ...

    def forget(self, names: Iterable[str]) -> None:
        """These files are deleted."""
        ...

    def trim(self, most_bytes: int) -> None:
        """Where there are copies, keep no more of them."""
        ...


class FolderPlace:
    """A folder of this machine."""

    options: dict[str, str] | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = str(folder)

    def exists(self) -> bool:
        """Whether there is a log."""
        return (self.folder / "_delta_log").is_dir()

    def make(self) -> None:
        """Make the folder, for its owner alone."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def fetch(self, names: Iterable[str]) -> list[Path]:
        """They are here."""
        return [self.folder / name for name in names]

    def publish(self, actions: Sequence[AddAction]) -> None:
        """Their names are on the disk."""
        if actions:
            parquet.sync_folder(self.folder)

    def discard(self, actions: Sequence[AddAction]) -> None:
        """Delete them."""
        parquet.remove(self.folder, actions)

    def settle(self, versions: Iterable[int]) -> None:
        """The log's entries are on the disk."""
        parquet.sync_log(self.folder, versions)

    def forget(self, names: Iterable[str]) -> None:
        """Nothing but the files themselves is here."""

    def trim(self, most_bytes: int) -> None:
        """There are no copies."""


class BucketPlace:
    """A prefix of a bucket that speaks S3. Credentials and endpoint are those of the environment (`AWS_...`)."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.options: dict[str, str] | None = _options()
        self._prefix = url.removeprefix("s3://")
        self._store = _store()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def exists(self) -> bool:
        """Whoever opens the log is told by the bucket."""
        return True

    def make(self) -> None:
        """A bucket knows no folders."""

    def fetch(self, names: Iterable[str]) -> list[Path]:
        """Copies of the files; what is missing comes down."""
        wanted = list(names)
        missing = [name for name in wanted if not (self.folder / name).exists()]
        self._each(self._down, missing)
        return [self.folder / name for name in wanted]

    def publish(self, actions: Sequence[AddAction]) -> None:
        """Bring them up."""
        self._each(self._up, [action.path for action in actions])

    def discard(self, actions: Sequence[AddAction]) -> None:
        """Delete them, above and here."""
        parquet.remove(self.folder, actions)
        for action in actions:
            if self._store.get_file_info(f"{self._prefix}/{action.path}").type == fs.FileType.File:
                self._store.delete_file(f"{self._prefix}/{action.path}")

    def settle(self, versions: Iterable[int]) -> None:
        """A bucket has what it has acknowledged."""

    def trim(self, most_bytes: int) -> None:
        """Delete the copies that were read longest ago, where all are larger together; they come down again when needed."""
        copies = [(path.stat(), path) for path in self.folder.glob("part-*.parquet")]
        held = sum(status.st_size for status, _ in copies)
        for status, path in sorted(copies, key=lambda each: each[0].st_atime_ns):
            if held <= most_bytes:
                return
            path.unlink(missing_ok=True)
            held -= status.st_size

    def forget(self, names: Iterable[str]) -> None:
        """Delete the copies."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def _each(self, work: Any, names: list[str]) -> None:
        if len(names) < 2:
            for name in names:
                work(name)
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(names))) as pool:
            for done in [pool.submit(work, name) for name in names]:
                done.result()

    def _up(self, name: str) -> None:
        with (
            (self.folder / name).open("rb") as file,
            self._store.open_output_stream(f"{self._prefix}/{name}") as above,
        ):
            shutil.copyfileobj(file, above, _PIECE)

    def _down(self, name: str) -> None:
        beside = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            with self._store.open_input_stream(f"{self._prefix}/{name}") as above, beside.open("xb") as file:
                shutil.copyfileobj(above, file, _PIECE)
            beside.replace(self.folder / name)
        finally:
            beside.unlink(missing_ok=True)


def _options() -> dict[str, str]:
    """What opens a log in a bucket: a commit is a file that must not be there yet, which S3 and its like decide."""
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {"conditional_put": "etag"} | ({"allow_http": "true"} if plain else {})


def _store() -> fs.S3FileSystem:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return fs.S3FileSystem(
        endpoint_override=endpoint or None, region=region or "us-east-1", allow_bucket_creation=False
    )
