"""The data directory, its owner and its disk; the sockets in it and who holds it. Needs the base install alone."""

import os
import shutil
import socket
import stat
import time
from pathlib import Path

from flyball.cli.premises import LEAST_FREE
from flyball.infra.processes.lock import Holder
from flyball.kit.layout import Layout
from flyball.surface.console import as_bytes

from .finding import Finding, failed, not_checked, ok, warning

_LITTLE_FREE = 2 * 1024**3
_FUTURE_SECONDS = 60


def check_directory(layout: Layout) -> Finding:
    """It is a directory that this user owns and can write."""
    root, elsewhere = layout.root, "choose another directory with --data"
    if not root.exists():
        parent = next(one for one in root.parents if one.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            return failed(
                "data directory", f"{root} does not exist, and {parent} cannot be written by this user", elsewhere
            )
        return ok("data directory", f"{root} does not exist yet: `flyball up` makes it")
    if not root.is_dir():
        return failed("data directory", f"{root} is not a directory", elsewhere)
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return failed(
            "data directory",
            f"{root} cannot be written by this user",
            f"give it to the user who runs flyball, or {elsewhere}",
        )
    return ok("data directory", str(root))


def check_permissions(layout: Layout) -> Finding:
    """Nobody else can look into it: it holds content, and sockets with its owner's authority."""
    if not layout.root.is_dir():
        return not_checked("permissions", "there is no data directory yet")
    status = layout.root.stat()
    if status.st_uid != os.geteuid():
        return failed(
            "permissions",
            f"{layout.root} belongs to user {status.st_uid}, and this is user {os.geteuid()}",
            "run flyball as that user",
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return warning("permissions", f"{layout.root} is open to others (mode {mode:04o})", f"chmod 700 {layout.root}")
    if layout.sockets.exists() and layout.sockets.lstat().st_uid != os.geteuid():
        return failed(
            "permissions",
            f"the folder for sockets, {layout.sockets}, belongs to somebody else",
            "have it removed, or choose a data directory with a shorter path",
        )
    return ok("permissions", f"open to its owner alone (mode {mode:04o})")


def check_disk(layout: Layout) -> Finding:
    """Room left."""
    place = next(one for one in (layout.root, *layout.root.parents) if one.exists())
    usage = shutil.disk_usage(place)
    found = f"{as_bytes(usage.free)} of {as_bytes(usage.total)} free"
    if usage.free < LEAST_FREE:
        return failed("disk", found, f"make room: `flyball up` wants {as_bytes(LEAST_FREE)}")
    if usage.free < _LITTLE_FREE:
        return warning("disk", found, "make room before it is full")
    return ok("disk", found)


def check_clock(layout: Layout) -> Finding:
    """The machine's clock has not gone back: nothing that flyball wrote is from the future."""
    newest = max((_changed(path) for path in (layout.lock, *_files(layout.spool), *_files(layout.logs))), default=0.0)
    ahead = newest - time.time()
    if ahead > _FUTURE_SECONDS:
        return failed(
            "clock",
            f"the newest file in the data directory is {ahead:.0f} s in the future",
            "set the machine's clock, best by NTP; then restart flyball",
        )
    return ok("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


def check_running(holder: Holder | None) -> Finding:
    """Whether a flyball runs on the directory: who and where."""
    if holder is None:
        return ok("running", "no flyball runs on this directory: `flyball up` starts one")
    return ok("running", f"process {holder.pid}" + (f" at {holder.address}" if holder.address else ", starting"))


def check_sockets(layout: Layout, holder: Holder | None) -> Finding:
    """Each socket is answered by a running flyball, and none is left by a dead one."""
    sockets = {
        path.name: _answers(path)
        for path in (layout.socket("admin"), layout.socket("public"), layout.socket("runner"))
        if path.exists()
    }
    if holder is None:
        if any(sockets.values()):
            return failed(
                "sockets",
                "a process answers although no supervisor runs",
                f"find it with `lsof {layout.sockets}/*.sock` and end it",
            )
        left = ", ".join(sockets)
        return ok("sockets", f"{left}: left by an earlier start, and removed by the next" if left else "none")
    silent = [
        path.name
        for path in (layout.socket("admin"), layout.socket("public"), layout.socket("runner"))
        if not sockets.get(path.name)
    ]
    if silent:
        return failed("sockets", f"{', '.join(silent)} does not answer", f"look into {layout.logs}")
    return ok("sockets", f"{', '.join(sockets)} answer")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _files(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
