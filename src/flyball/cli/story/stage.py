"""A running flyball for the story, and how a step runs a command in it. Knows no step."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from flyball.kit.errors import FlyballError
from flyball.settings import Settings
from flyball.surface.console.harmless import HarmlessConsole

_STEPS = 11
_PATIENCE_SECONDS = 60


class StoryError(FlyballError):
    """A step of the demo did not do what it should."""

    code = "demo_failed"


class Running(NamedTuple):
    """A started flyball: its address, the one-time link (empty where a password exists), the seconds that it took."""

    address: str
    sign_in: str
    seconds: float


class Stage:
    """Where the story plays: the data directory, the terminal, the commands."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.console = HarmlessConsole(markup=True, soft_wrap=True)
        self._step = 0
        self._flyball: subprocess.Popen[bytes] | None = None

    def step(self, title: str, sentence: str) -> None:
        """The head of the next step."""
        self._step += 1
        self.console.print()
        self.console.print(f"[bold cyan]{self._step:>2}/{_STEPS}  {title}[/]  [dim]{sentence}[/]")

    def say(self, line: str) -> None:
        """A line of the step."""
        self.console.print(f"       {line}", markup=False)

    def run(self, *words: str, allowed: Sequence[int] = (0,)) -> None:
        """Print a command and run it, its output as a user sees it.

        Raises:
            StoryError: it ended with an exit code that is not allowed.
        """
        self._show(words)
        ended = subprocess.run(self._command(words), check=False)  # noqa: S603 -- our own command line
        self._check(words, ended.returncode, allowed)

    def ask(self, *words: str) -> Any:
        """What a command answers with `--json`, without showing it."""
        ended = subprocess.run([*self._command(words), "--json"], check=False, stdout=subprocess.PIPE)  # noqa: S603 -- as above
        self._check(words, ended.returncode, (0,))
        return msgspec.json.decode(ended.stdout)

    @contextlib.contextmanager
    def flyball(self) -> Iterator[Running]:
        """flyball, up until the end of the block; stopped by SIGTERM, waited for."""
        words = ("up", "--port", str(self.settings.port))
        self._show(words)
        process = subprocess.Popen([*self._command(words), "--json"], stdout=subprocess.PIPE)  # noqa: S603 -- as above
        self._flyball = process
        try:
            yield self._greeting(process)
        finally:
            with _signals_held():
                process.send_signal(signal.SIGTERM)
                process.wait()

    def stay(self) -> None:
        """Return when flyball has ended, or somebody presses Ctrl-C or sends SIGTERM."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            if self._flyball is not None:
                self._flyball.wait()

    def _greeting(self, process: subprocess.Popen[bytes]) -> Running:
        """What `flyball up --json` prints once, when everything runs."""
        timer = threading.Timer(_PATIENCE_SECONDS, process.kill)
        timer.start()
        printed = b""
        try:
            for line in process.stdout or ():
                printed += line
                with contextlib.suppress(msgspec.DecodeError):
                    told = msgspec.json.decode(printed)
                    return Running(told["address"], told["sign_in"], told["seconds"])
        finally:
            timer.cancel()
        raise StoryError("flyball did not start", next_step=f"see the lines above and {self.settings.data}/logs")

    def _command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "flyball.cli", *words, "--data", str(self.settings.data)]

    def _show(self, words: Sequence[str]) -> None:
        typed = " ".join(f"'{word}'" if " " in word else word for word in words)
        self.console.print(f"     [green]$[/] flyball {typed if len(typed) < 160 else typed[:150] + ' ...'}")

    def _check(self, words: Sequence[str], code: int, allowed: Sequence[int]) -> None:
        if code not in allowed:
            raise StoryError(
                f"`flyball {' '.join(words[:2])}` ended with exit code {code}",
                next_step=f"see the lines above and {Path(self.settings.data) / 'logs'}",
            )


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A second Ctrl-C does not interrupt the orderly stop: flyball hears it itself and hurries."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
