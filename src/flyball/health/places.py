"""The disk: what is free, what each part of the data directory takes, and when it is full at this rate.

Walks folders, which may take seconds where there are many files: call it in a thread, and seldom.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from flyball.kit.clock import NANOSECONDS
from flyball.kit.layout import Layout
from flyball.settings import Settings

from .records import Minute, Part

_BLOCK = 512  # bytes; what `st_blocks` counts in, whatever the file system
_FILE = "file://"
_LATELY_NS = 6 * 3600 * NANOSECONDS  # how far back the rate looks
_LEAST_MINUTES = 15
_FAR_SECONDS = 365 * 86_400.0  # nobody needs to know more exactly


def parts_of(layout: Layout, settings: Settings) -> tuple[Part, ...]:
    """What each part takes, the largest first. A part that lies elsewhere than in a local folder is not among them."""
    lake = _local(settings.lake_url, layout.lake)
    blobs = _local(settings.blobs_url, layout.blobs)
    folders: dict[str, Path | None] = {
        "postgres": layout.postgres if layout.postgres.is_dir() else None,
        "lake": lake,
        "blobs": blobs,
        "indexes": layout.indexes,
        "inbox": layout.inbox,
        "spool": layout.spool,
        "logs": layout.logs,
        "staging": layout.staging,
        "code": layout.code,
    }
    local = {name: folder for name, folder in folders.items() if folder is not None}
    found = {name: taken(folder) for name, folder in local.items()}
    inside = sum(found[name] for name, folder in local.items() if folder.is_relative_to(layout.root))
    found["other"] = max(0, taken(layout.root) - inside)
    return tuple(Part(name=name, bytes=size) for name, size in sorted(found.items(), key=lambda each: -each[1]) if size)


def taken(folder: Path) -> int:
    """Bytes of disk that a folder takes, with all that is in it. What vanishes meanwhile counts nothing."""
    total = 0
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    except OSError:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue
    return total


def full_in_seconds(minutes: Sequence[Minute], free: int, now_ns: int) -> float | None:
    """When nothing is left, by the line through what was free over the last hours. None: it does not fill, or too few minutes."""
    points = [
        ((each.minute_ns - now_ns) / NANOSECONDS, each.disk_free)
        for each in minutes
        if each.disk_free is not None and each.minute_ns >= now_ns - _LATELY_NS
    ]
    if len(points) < _LEAST_MINUTES:
        return None
    mean_at = sum(at for at, _ in points) / len(points)
    mean_free = sum(room for _, room in points) / len(points)
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    slope = sum((at - mean_at) * (room - mean_free) for at, room in points) / spread
    if slope >= 0:
        return None
    seconds = free / -slope
    return seconds if seconds < _FAR_SECONDS else None


def _local(url: str, default: Path) -> Path | None:
    if not url:
        return default
    return Path(url.removeprefix(_FILE)) if url.startswith((_FILE, "/")) else None
