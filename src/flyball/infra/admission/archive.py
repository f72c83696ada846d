"""A zip as a folder of files: judged by its directory before anything is unpacked, and every entry as if it had come alone.

Nothing is ever unpacked under a name of the archive's choosing: names are checked because people will use them elsewhere.
"""

import re
import stat
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from .errors import ArchiveRefusedError, FileTooLargeError, NotAdmittedError
from .source import Limits, Source

_START = b"PK\x03\x04"
_MOST_DIRECTORY = 4 * 1024 * 1024
_LONGEST_NAME = 255
_DEEPEST = 8
_LOCAL_HEADER = 30
_SMALL = 1024 * 1024  # an entry up to here may be packed as well as it likes
_TAKEN = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED = 0x1 | 0x40 | 0x2000


class Entry(NamedTuple):
    """A file in the archive: its path there, checked, and its bytes when unpacked."""

    path: str
    bytes: int


def is_zip(source: Source) -> bool:
    """Whether it begins as such a file does."""
    return source.peek(0, 4) == _START


class Archive:
    """One archive, open: `entries` are its files by path, proven sound before the first is read."""

    def __init__(self, file: IO[bytes], name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._source = Source(file, name=name)
        with self._explained():
            self._check_directory()
            self._zip = zipfile.ZipFile(file)
            self._infos = {info.filename: info for info in self._check_entries(self._zip.infolist())}
        self.entries = tuple(Entry(path, self._infos[path].file_size) for path in sorted(self._infos))

    def copy(self, entry: Entry, to: IO[bytes]) -> None:
        """Unpack one entry. Never writes more than the directory said. Raises ArchiveRefusedError."""
        info = self._infos[entry.path]
        left = info.file_size
        with self._explained(), self._zip.open(info) as packed:
            while piece := packed.read(1024 * 1024):
                left -= len(piece)
                if left < 0:
                    raise self._refused(f"the entry {entry.path!r:.120} unpacks to more than it says")
                to.write(piece)
        if left:
            raise self._refused(f"the entry {entry.path!r:.120} unpacks to less than it says")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever the library raises about a hostile archive becomes an error of ours; no list of its errors is complete."""
        try:
            yield
        except (NotAdmittedError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 -- the door to a parser that was not written for enemies
            raise self._refused(f"it is damaged ({type(error).__name__})") from None

    def _check_directory(self) -> None:
        """The end record: at the very end, of one disk, with a directory of a size that may be held. No other fits."""
        end = self._source.peek(self._source.size - 22, 22)
        if len(end) < 22 or end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0":
            raise self._refused("its directory is not at its end")
        if end[4:8] != b"\0\0\0\0":
            raise self._refused("it is one part of several")
        entries, size = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
        if entries == 0xFFFF or size == 0xFFFF_FFFF:
            size = int.from_bytes(
                self._source.peek(self._source.size - 22 - 20 - 56 + 40, 8), "little"
            )  # as zip64 has it
        if size > _MOST_DIRECTORY:
            raise FileTooLargeError(
                f"{self._name!r:.200} has a directory of {size:,} bytes, more than {_MOST_DIRECTORY:,}"
            )

    def _check_entries(self, infos: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
        if len(infos) > self._limits.archive_entries:
            raise FileTooLargeError(
                f"{self._name!r:.200} has {len(infos):,} entries, more than {self._limits.archive_entries:,}"
            )
        seen: set[str] = set()
        end = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            self._check_entry(info, seen)
            if info.header_offset < end or (end == 0 and info.header_offset):
                raise self._refused("its entries overlap, or something stands before the first")
            end = info.header_offset + _LOCAL_HEADER + len(info.orig_filename) + info.compress_size
        if end > self._source.size:
            raise self._refused("its entries reach beyond its end")
        if sum(info.file_size for info in infos) > self._limits.file_bytes:
            raise FileTooLargeError(f"{self._name!r:.200} unpacks to more than {self._limits.file_bytes:,} bytes")
        return [info for info in infos if not info.is_dir()]

    def _check_entry(self, info: zipfile.ZipInfo, seen: set[str]) -> None:
        if why := _why_bad(info.orig_filename):
            raise self._refused(f"the entry {info.orig_filename!r:.120} has a path that {why}")
        folded = unicodedata.normalize("NFKC", info.filename.rstrip("/")).casefold()
        if folded in seen:
            raise self._refused(f"the path {info.filename!r:.120} is there twice")
        seen.add(folded)
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._refused(f"the entry {info.filename!r:.120} is a link or a device")
        if info.flag_bits & _ENCRYPTED:
            raise self._refused(f"the entry {info.filename!r:.120} is encrypted")
        if info.compress_type not in _TAKEN:
            raise self._refused(f"the entry {info.filename!r:.120} is packed in a way other than deflate")
        if info.file_size > max(_SMALL, info.compress_size * self._limits.unpacked_times):
            raise FileTooLargeError(
                f"the entry {info.filename!r:.120} of {self._name!r:.120} unpacks to {info.file_size:,} bytes from {info.compress_size:,}"
            )

    def _refused(self, why: str) -> ArchiveRefusedError:
        return ArchiveRefusedError(
            f"{self._name!r:.200} is not taken: {why}",
            next_step="make a plain zip of the files, or send them one by one",
        )


def _why_bad(path: str) -> str:
    parts = path.removesuffix("/").split("/")
    if not path.isprintable() or "\\" in path or unicodedata.normalize("NFC", path) != path:
        return "has a character that paths do not have"
    if path.startswith(("/", "~")) or _DRIVE.match(path):
        return "does not begin in the archive"
    if any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts):
        return "leads out of the archive, or may"
    if len(path.encode()) > _LONGEST_NAME or len(parts) > _DEEPEST:
        return "is too long or too deep"
    return ""
