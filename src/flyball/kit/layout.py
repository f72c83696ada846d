"""Where things lie in the data directory. Light: commands import it."""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import ForbiddenError

_LONGEST_SOCKET_PATH = 100  # Linux takes 107 bytes, others less


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under one data directory. `root` is absolute."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held (flock) by the supervisor while it runs; its text says who holds it."""
        return self.root / "flyball.lock"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL's own directory."""
        return self.root / "postgres"

    @property
    def lake(self) -> Path:
        """Delta tables; or, where they lie in a bucket, copies of their files, which may be deleted."""
        return self.root / "lake"

    @property
    def blobs(self) -> Path:
        """Content-addressed files."""
        return self.root / "blobs"

    @property
    def indexes(self) -> Path:
        """LanceDB tables; derived, may be deleted and rebuilt."""
        return self.root / "indexes"

    @property
    def code(self) -> Path:
        """Captured rules code as files, one folder per hash; derived from blobs, may be deleted."""
        return self.root / "code"

    @property
    def staging(self) -> Path:
        """Rows on their way from a source into the lake, and files of weights until they are judged; emptied when an import ends, and made again where it is lost."""
        return self.root / "staging"

    @property
    def spool(self) -> Path:
        """What gateway workers have yet to record."""
        return self.root / "spool"

    @property
    def inbox(self) -> Path:
        """Bodies of requests that are acknowledged and not yet in the lake, which rows of the embedded PostgreSQL name."""
        return self.root / "inbox"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Files with secrets that the operator put there, which `file:` may name."""
        return self.root / "secrets"

    @property
    def sockets(self) -> Path:
        """The directory of Unix sockets: `run/`, or a private one in the temporary folder where the path is too long."""
        here = self.root / "run"
        if len(os.fsencode(here)) + 32 <= _LONGEST_SOCKET_PATH:
            return here
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"flyball-{os.getuid()}-{digest}"

    def socket(self, of: Literal["admin", "public", "runner"]) -> Path:
        """Where one listens.

        `admin`: the control process, with the authority of the operating-system user who owns the data directory. `public`: the
        same, for what the gateway passes on: every caller proves who they are. `runner`: what executes variants.
        """
        return self.sockets / f"{of}.sock"

    def create(self) -> None:
        """Make the directories, private to their owner; those that were left open to others are closed.

        A root that was there before may stay readable (its folders are not), but nobody else may exchange what lies in it.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close(self.root, 0o022)
        for path in (
            self.lake,
            self.blobs,
            self.code,
            self.indexes,
            self.staging,
            self.spool,
            self.inbox,
            self.logs,
            self.secrets,
            self.sockets,
        ):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _close(path, 0o077)
        _refuse_foreign(self.sockets)


def _close(folder: Path, bits: int) -> None:
    """Take permissions away, where they were given and are ours to take."""
    found = folder.stat()
    if found.st_mode & bits and found.st_uid == os.getuid():
        folder.chmod(stat.S_IMODE(found.st_mode) & ~bits)


def _refuse_foreign(folder: Path) -> None:
    """Whoever may replace a socket answers in our name, so its folder (which may lie in the shared temporary one) is ours alone."""
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise ForbiddenError(
            f"the folder for sockets, {folder}, belongs to somebody else",
            next_step=f"have it removed, or choose a data directory with a shorter path than {_LONGEST_SOCKET_PATH} characters",
        )
    folder.chmod(0o700)
