"""A file that is looked at piece by piece: never more in memory than was asked for. Knows bytes and numbers, no format."""

import os
import struct
from dataclasses import dataclass
from typing import IO

from .errors import DamagedFileError

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is looked at. A header beyond its limit is refused, whatever the format itself would take."""

    json_header_bytes: int = 8 * 1024 * 1024  # of safetensors; parsed, it takes some twenty times as much memory
    header_bytes: int = 32 * 1024 * 1024  # of GGUF; passed over, not kept
    file_bytes: int = 1 << 40
    archive_entries: int = 2_000
    unpacked_times: int = 100  # how much larger an entry may be than it is packed
    text_bytes: int = 64 * 1024 * 1024  # of a JSON or text file in an archive


class Source:
    """A seekable file with its name for people. Not for several threads."""

    def __init__(self, file: IO[bytes], *, name: str) -> None:
        self._file = file
        self.name = name
        self.size = file.seek(0, os.SEEK_END)

    def peek(self, offset: int, most: int) -> bytes:
        """The bytes from there on, fewer where the file ends."""
        if offset < 0 or offset >= self.size:
            return b""
        self._file.seek(offset)
        return self._file.read(min(most, self.size - offset))

    def take(self, offset: int, length: int, what: str) -> bytes:
        """Exactly so many bytes. Raises DamagedFileError where the file ends before."""
        found = self.peek(offset, length) if length <= self.size - offset else b""
        if len(found) != length:
            raise self.damaged(f"it ends in the middle of {what}")
        return found

    def find(self, needle: bytes, start: int) -> int:
        """Where one byte comes next, -1 where it does not."""
        while piece := self.peek(start, _PIECE):
            if (at := piece.find(needle)) >= 0:
                return start + at
            start += len(piece)
        return -1

    def damaged(self, why: str) -> DamagedFileError:
        """The error for an inside that does not fit."""
        return DamagedFileError(
            f"{self.name!r:.200} is damaged or made up: {why}",
            next_step="fetch it again and compare its SHA-256 with the one that its publisher names",
        )


class Cursor:
    """Reads a header from its start, and no further than its limit."""

    def __init__(self, source: Source, offset: int, limit: int) -> None:
        self.source = source
        self.offset = offset
        self._limit = limit
        self._window = b""
        self._window_at = offset

    def bytes(self, length: int, what: str) -> bytes:
        """The next bytes. Raises DamagedFileError at the end of the file or of what a header may have."""
        if length > self._limit - self.offset:
            raise self.source.damaged(f"{what} reaches beyond the {self._limit:,} bytes that a header may have")
        start = self.offset - self._window_at
        if start + length > len(self._window):
            self._window = self.source.take(self.offset, length, what) if length > _PIECE else b""
            if not self._window and length:
                self._window = self.source.peek(self.offset, _PIECE)
            self._window_at, start = self.offset, 0
            if len(self._window) < length:
                raise self.source.damaged(f"it ends in the middle of {what}")
        self.offset += length
        return self._window[start : start + length]

    def skip(self, length: int, what: str) -> None:
        """Pass over so many bytes that are there."""
        if length > min(self._limit, self.source.size) - self.offset:
            raise self.source.damaged(f"{what} reaches beyond the end")
        self.offset += length
        if self.offset > self._window_at + len(self._window):
            self._window, self._window_at = b"", self.offset

    def u32(self, what: str) -> int:
        """An unsigned number of four bytes."""
        return int(struct.unpack("<I", self.bytes(4, what))[0])

    def u64(self, what: str) -> int:
        """An unsigned number of eight bytes."""
        return int(struct.unpack("<Q", self.bytes(8, what))[0])
