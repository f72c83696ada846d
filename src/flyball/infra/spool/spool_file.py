"""A bounded file of records that outlives the process that wrote them: a stream of frames over a ring of mapped slots.

Appending is copying into mapped memory: no system call, no lock, no allocation on disk, which is all done when the file is
made. What was appended survives `kill -9`, because the page cache does; it does not survive a power cut.
Knows bytes and positions; knows not what a record means. One thread of one process appends; another process may follow, which
reads and releases. Neither waits for the other: a frame and a mark prove themselves, and what is half written is not there yet.

    head    magic, slot size, slots; how far readers have released; for each slot, which part of the stream it holds
    slots   the stream, cut into equal parts; part n holds positions [n * slot size, (n + 1) * slot size)
    frame   length, checksum, its own position, payload; the frame is written after its payload, so it proves it
"""

import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from .errors import SpoolAwayError

_MAGIC = b"FLYSPOOL"
_HEAD = struct.Struct("<8sII")  # magic, slot size, slots
_MARK = struct.Struct("<QI")  # a number and its checksum
_MARK_BYTES = 16
_RELEASED_AT = 32
_TABLE_AT = 64
_FRAME = struct.Struct("<IIQ")  # length, checksum, position
_FRAME_BYTES = _FRAME.size

SLOT = 1024 * 1024


class Chunk(NamedTuple):
    """Some records in order, and the position after the last of them."""

    records: tuple[bytes, ...]
    end: int
    cut: bool  # as many as were asked for: more may follow


class SpoolFile:
    """One file. `create` makes an empty one, `adopt` reads what another process left, `follow` what another still appends to."""

    def __init__(self, path: Path, memory: mmap.mmap, slot_bytes: int, slots: int) -> None:
        self.path = path
        self.dropped = 0  # records that found no room
        self._memory = memory
        self._slot_bytes = slot_bytes
        self._slots = slots
        self._slots_at = _head_bytes(slots)
        self._slot_of: dict[int, int] = {}  # part of the stream -> slot
        self._free = list(range(slots - 1, -1, -1))  # the last one released is the next one used: few pages stay warm
        self._released = 0
        self.end = 0  # the position after the last record that is known of; written here alone
        self._in_use_until = 0  # the end of the part whose slot is in use
        self._in_use_at = 0  # where in memory position 0 would be if all of the stream were as that slot
        self._follows = False  # another process appends, and this one releases

    @classmethod
    def create(cls, path: Path, *, capacity: int, slot_bytes: int = SLOT) -> "SpoolFile":
        """Make an empty file with all of its room allocated, so that a full disk is met here and never later.

        Raises:
            SpoolAwayError: the disk has no room for it.
        """
        slots = max(2, -(-capacity // slot_bytes))
        size = _head_bytes(slots) + slots * slot_bytes
        making = path.with_suffix(".making")
        try:
            with making.open("w+b") as file:
                os.posix_fallocate(file.fileno(), 0, size)
                memory = mmap.mmap(file.fileno(), size)
            _HEAD.pack_into(memory, 0, _MAGIC, slot_bytes, slots)
            making.rename(path)
        except OSError as error:
            making.unlink(missing_ok=True)
            raise SpoolAwayError(
                f"the spool {path} of {size:,} bytes cannot be made: {error}",
                next_step="free disk space, or set FLYBALL_SPOOL_BYTES lower",
            ) from error
        return cls(path, memory, slot_bytes, slots)

    @classmethod
    def adopt(cls, path: Path) -> "SpoolFile":
        """Open what another process left, to read it to its end. Nothing may be appended to it."""
        return cls._opened(path, follows=False)

    @classmethod
    def _opened(cls, path: Path, *, follows: bool) -> "SpoolFile":
        try:
            with path.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
            magic, slot_bytes, slots = _HEAD.unpack_from(memory, 0)
        except (OSError, ValueError, struct.error) as error:
            raise SpoolAwayError(f"the spool {path} cannot be read: {error}", next_step="move it away") from error
        if magic != _MAGIC or len(memory) != _head_bytes(slots) + slots * slot_bytes:
            raise SpoolAwayError(f"{path} is not a spool", next_step="move it away")
        spool = cls(path, memory, slot_bytes, slots)
        spool._free, spool._follows = [], follows
        spool._released = spool.end = _read_mark(memory, _RELEASED_AT)
        spool._read_table()
        spool._find_end()
        return spool

    @classmethod
    def follow(cls, path: Path) -> "SpoolFile":
        """Open what another process goes on appending to: to read it as it comes, and to release what was read."""
        return cls._opened(path, follows=True)

    @property
    def released(self) -> int:
        """Everything before this position has been dealt with."""
        return self._released

    @property
    def waiting_bytes(self) -> int:
        """How much was appended and is not released, whichever process did either."""
        if self._follows:
            self._find_end()
        else:
            self._heed_released()
        return self.end - self._released

    def append(self, payload: bytes) -> bool:
        """Keep a record; False, and counted, when there is no room for it."""
        start = self.end
        after = start + _FRAME_BYTES + len(payload)
        if after <= self._in_use_until:  # nearly always: all of it in the slot that is in use
            memory, at = self._memory, start + self._in_use_at
            memory[at + _FRAME_BYTES : after + self._in_use_at] = payload
            _FRAME.pack_into(memory, at, len(payload), zlib.crc32(payload, start & 0xFFFFFFFF), start)
            self.end = after
            return True
        return self._append_further(payload, start, after)

    def _append_further(self, payload: bytes, start: int, after: int) -> bool:
        first_missing = -(-start // self._slot_bytes)
        parts = range(first_missing, -(-after // self._slot_bytes))
        if parts:
            self._heed_released()  # a slot that was just read is warm
        if len(parts) > len(self._free):
            self.dropped += 1
            return False
        for part in parts:
            self._claim(part)
        self._write(start + _FRAME.size, payload)
        self._write(start, _FRAME.pack(len(payload), _checksum(payload, start), start))
        self.end = after
        part = (after - 1) // self._slot_bytes
        self._in_use_until = (part + 1) * self._slot_bytes
        self._in_use_at = self._slots_at + (self._slot_of[part] - part) * self._slot_bytes
        return True

    def read(self, position: int, *, most_records: int, most_bytes: int) -> Chunk:
        """Records from a position on: at least one if there is one, and no more than asked for."""
        records: list[bytes] = []
        size = 0
        while len(records) < most_records and size < most_bytes:
            payload = self._frame(position)
            if payload is None:
                break
            records.append(payload)
            size += len(payload)
            position += _FRAME.size + len(payload)
        self.end = max(self.end, position)
        return Chunk(tuple(records), position, cut=len(records) >= most_records or size >= most_bytes)

    def resume(self, position: int) -> None:
        """Continue at a position that is known from elsewhere to be dealt with, when it is further than the file says."""
        self.release(position)
        if position > self.end:
            self._released = self.end = position
            self._find_end()

    def release(self, position: int) -> None:
        """Forget everything before a position; its slots are used again."""
        if position <= self._released:
            return
        _write_mark(self._memory, _RELEASED_AT, min(position, self.end))
        self._forget_before(min(position, self.end))

    def _heed_released(self) -> None:
        """Another process may have released what this one appended."""
        released = min(_read_mark(self._memory, _RELEASED_AT), self.end)
        if released > self._released:
            self._forget_before(released)

    def _forget_before(self, position: int) -> None:
        self._released = position
        for part in [part for part in self._slot_of if (part + 1) * self._slot_bytes <= self._released]:
            self._free.append(self._slot_of.pop(part))

    def close(self) -> None:
        """Let go of the memory; the file stays."""
        self._memory.close()

    def _claim(self, part: int) -> None:
        slot = self._free.pop()
        _write_mark(self._memory, _TABLE_AT + slot * _MARK_BYTES, part + 1)
        self._slot_of[part] = slot

    def _read_table(self) -> None:
        for slot in range(self._slots):
            part = _read_mark(self._memory, _TABLE_AT + slot * _MARK_BYTES)
            if part * self._slot_bytes > self._released:
                self._slot_of[part - 1] = slot

    def _find_end(self) -> None:
        while (payload := self._frame(self.end)) is not None:
            self.end += _FRAME.size + len(payload)

    def _frame(self, position: int) -> bytes | None:
        """The payload of the frame that starts here; None unless it is whole and really starts here."""
        head = self._read(position, _FRAME.size)
        if head is None:
            return None
        length, checksum, own_position = _FRAME.unpack(head)
        if own_position != position or length > len(self._memory):
            return None
        payload = self._read(position + _FRAME.size, length)
        return payload if payload is not None and _checksum(payload, position) == checksum else None

    def _write(self, position: int, data: bytes) -> None:
        done = 0
        while done < len(data):
            part, offset = divmod(position + done, self._slot_bytes)
            size = min(self._slot_bytes - offset, len(data) - done)
            at = self._slots_at + self._slot_of[part] * self._slot_bytes + offset
            self._memory[at : at + size] = data[done : done + size]
            done += size

    def _read(self, position: int, size: int) -> bytes | None:
        pieces = []
        end = position + size
        while position < end:
            part, offset = divmod(position, self._slot_bytes)
            if part not in self._slot_of and not self._is_there_now(part):
                return None
            piece = min(self._slot_bytes - offset, end - position)
            at = self._slots_at + self._slot_of[part] * self._slot_bytes + offset
            pieces.append(self._memory[at : at + piece])
            position += piece
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _is_there_now(self, part: int) -> bool:
        if self._follows:
            self._read_table()
        return part in self._slot_of


def _head_bytes(slots: int) -> int:
    return -(-(_TABLE_AT + slots * _MARK_BYTES) // mmap.PAGESIZE) * mmap.PAGESIZE


def _checksum(payload: bytes, position: int) -> int:
    return zlib.crc32(payload, position & 0xFFFFFFFF)


def _write_mark(memory: mmap.mmap, at: int, number: int) -> None:
    memory[at : at + _MARK.size] = _MARK.pack(number, zlib.crc32(number.to_bytes(8, "little")))


def _read_mark(memory: mmap.mmap, at: int) -> int:
    number, checksum = _MARK.unpack_from(memory, at)
    return int(number) if checksum == zlib.crc32(int(number).to_bytes(8, "little")) else 0
