"""`file:/path`: files of the server below folders that the operator lists; links count by where they lead."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret

from .references import Found, Missing

LARGEST = 64 * 1024
RUN_SECRETS = Path("/run/secrets")


def master_file(layout: Layout) -> Path:
    """Where the master key lies that is made where none was given."""
    return layout.root / "master.key"


def from_file(path: str, folders: Collection[Path], never: Collection[Path]) -> Found | Missing:
    """What the file says, without the line's end. `never` are files of flyball's own, wherever they lie."""
    try:
        real = Path(path).resolve()
        allowed = any(real.is_relative_to(folder.resolve()) for folder in folders)
        if not allowed or real in {own.resolve() for own in never}:
            listed = ", ".join(map(str, folders))
            return Missing(
                f"{path} is outside the folders that FLYBALL_SECRET_FILES lists ({listed}), or flyball's own"
            )
        text = read_small(real)
    except (OSError, ValueError):
        text = ""
    return Found(Secret(text)) if text else Missing(f"{path} cannot be read, or is empty")


def read_small(path: Path) -> str:
    """A regular file of at most 64 KiB, as text without the line's end. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no file")
        data = b""
        while len(data) <= LARGEST and (piece := os.read(descriptor, LARGEST + 1 - len(data))):
            data += piece
    finally:
        os.close(descriptor)
    if len(data) > LARGEST:
        raise OSError(f"{path} is larger than any secret")
    return data.decode(errors="replace").strip()
