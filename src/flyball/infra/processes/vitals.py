"""What each process tells of itself: a small file that it writes every few seconds, and how those files are read.

Files, so that they can be read while PostgreSQL is away, and so that a process that hangs shows by an old one. Knows how
they travel; what is counted is told by whoever counts. Light: the gateway imports it.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from flyball.kit.clock import Clock
from flyball.kit.layout import Layout
from flyball.kit.tally import Counted, Tally

EVERY_SECONDS = 2.0
_LARGEST = 256 * 1024  # bytes; ours have a few thousand
_logger = logging.getLogger(__name__)


def folder_of(layout: Layout) -> Path:
    """Where the files lie; may be deleted at any time."""
    return layout.root / "vitals"


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """One process as it told of itself. Sums begin at nothing with each process, and are told apart by `started_ns`."""

    role: str
    pid: int
    started_ns: int
    written_ns: int
    sums: tuple[Counted, ...] = ()
    levels: tuple[Counted, ...] = ()
    words: dict[str, str] = {}

    def sum_of(self, name: str, of: str | None = None) -> float:
        """What was counted under a name: of one thing, or of all together."""
        return sum(one.number for one in self.sums if one.name == name and of in (None, one.of))

    def level_of(self, name: str, of: str = "") -> float | None:
        """A level; None where it was not told."""
        return next((one.number for one in self.levels if one.name == name and one.of == of), None)


def _nothing() -> None:
    """There are no levels."""


@asynccontextmanager
async def told(
    layout: Layout, role: str, clock: Clock, tally: Tally, look: Callable[[], None] = _nothing
) -> AsyncIterator[None]:
    """Inside the block the process tells of itself; `look` puts its levels into the tally before each time.

    A role is one file: whoever bears it writes over what the last one left. At the end of the block the file goes.
    """
    started_ns = clock.now_ns()
    path = folder_of(layout) / f"{role}.json"

    async def write() -> None:
        look()
        text = msgspec.json.encode(
            Vitals(
                role=role,
                pid=os.getpid(),
                started_ns=started_ns,
                written_ns=clock.now_ns(),
                sums=tuple(tally.sums()),
                levels=tuple(tally.levels()),
                words=tally.words(),
            )
        )
        await asyncio.to_thread(_replace, path, text)

    running = asyncio.create_task(_keep_writing(role, write))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        path.unlink(missing_ok=True)


async def _keep_writing(role: str, write: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await write()
        except OSError as error:
            _logger.warning("what %s tells of itself cannot be written: %s", role, error)
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            _logger.exception("%s cannot tell of itself", role)
        await asyncio.sleep(EVERY_SECONDS)


def _replace(path: Path, text: bytes) -> None:
    """Whole or not at all, for whoever reads; not forced to the disk, since it is old in a few seconds."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    making = path.with_suffix(".making")
    making.write_bytes(text)
    making.rename(path)


def read_vitals(layout: Layout) -> tuple[Vitals, ...]:
    """What every process told last, by role. What cannot be read is left out: its process is missing then."""
    found = []
    folder = folder_of(layout)
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            if path.stat().st_size <= _LARGEST:
                found.append(msgspec.json.decode(path.read_bytes(), type=Vitals))
        except (OSError, msgspec.MsgspecError):
            continue
    return tuple(found)
