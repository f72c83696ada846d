"""Kills one process of flyball after the other, at random, and starts flyball again where its supervisor was among them.

Knows processes by their command lines; knows not what is proved meanwhile.
"""

import contextlib
import random
import sys
import threading
import time
from typing import NamedTuple

import psutil

_ROLES = {
    "flyball.web control": "control",
    "flyball.web gateway": "gateway",
    "flyball.web courier": "courier",
    "flyball.worker runner": "runner",
    "flyball.worker jobs": "worker",
    "flyball.worker flusher": "flusher",
    "flyball.datasets": "child of the worker",
    "flyball.cli up": "supervisor",
    "/postgres -D": "postmaster",
    "postgres:": "backend",
}


def tell(line: str) -> None:
    """A line for whoever reads why a test failed."""
    sys.stdout.write(line + "\n")


class GivenUpError(Exception):
    """flyball does not start any more; the killer knows why."""


class Killed(NamedTuple):
    """A kill: whom, and what the user was doing."""

    role: str
    step: str


class Killer(threading.Thread):
    """Kills one process after the other, and starts flyball again where its supervisor was killed.

    `user` tells what it is doing (`step`), and is told by `give_up` that flyball does not start any more.
    """

    def __init__(self, flyball, user, *, moments: int, longest_pause: float, chance: random.Random) -> None:
        super().__init__(name="killer", daemon=True)
        self.killed: list[Killed] = []
        self.failed: BaseException | None = None
        self._flyball = flyball
        self._user = user
        self._moments = moments
        self._longest_pause = longest_pause
        self._chance = chance

    def run(self) -> None:
        """In the end `failed` says what went wrong with flyball's start, or with this thread."""
        try:
            self._start()
            while len(self.killed) < self._moments:
                time.sleep(self._chance.uniform(0.1, self._longest_pause))
                if self._kill() == "supervisor":
                    self._reap()
                    self._start()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test has to say it
            self.failed = error
            self._user.give_up.set()

    def _start(self) -> None:
        """`flyball up`, repeated while a kill keeps it from starting; nothing else may."""
        ready = False
        while not ready:
            self._flyball.launch()
            victim = ""
            if self._chance.random() < 0.4 and len(self.killed) < self._moments:  # a moment of the start itself
                time.sleep(self._chance.uniform(0.1, 4.0))
                victim = self._kill()
            ready = self._flyball.until_ready() and victim != "supervisor"
            assert ready or victim, f"`flyball up` failed though nothing was killed:\n{self._flyball.said()[-3000:]}"
            if not ready:
                self._reap()

    def _reap(self) -> None:
        self._flyball.process.wait()
        self._flyball.process.stdout.close()

    def _kill(self) -> str:
        found = self._victims()
        if not found:
            return ""
        role = self._chance.choice(sorted(found))
        with contextlib.suppress(psutil.NoSuchProcess):
            self._chance.choice(found[role]).kill()
            self.killed.append(Killed(role, self._user.step))
            tell(f"{time.strftime('%H:%M:%S')} killed {role} during {self._user.step}")
            return role
        return ""

    def _victims(self) -> dict[str, list[psutil.Process]]:
        found: dict[str, list[psutil.Process]] = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self._flyball.process.pid)
            for process in (supervisor, *supervisor.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    line = " ".join(process.cmdline())
                    role = next((role for words, role in _ROLES.items() if words in line), "")
                    forked = role == "supervisor" and process != supervisor  # and not yet another program
                    if role and not forked:
                        found.setdefault(role, []).append(process)
        return found
