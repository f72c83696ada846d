"""A small supervised program for the tests: `child_program.py DEED [FILE]`. Knows the handshake and a few ways to misbehave."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from flyball.infra.processes.handshake import say_ready, wait_to_begin


def main(deed: str, file: Path) -> None:
    wait_to_begin()
    if deed == "crash":
        say("line one")
        raise SystemExit("the catalog is unreadable")
    if deed == "mute":
        time.sleep(60)
    if deed == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if deed == "parent":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    if deed == "careful":
        signal.signal(signal.SIGTERM, lambda *_: finish(file))
    if deed == "noisy":
        say("x" * 10_000_000)
    say(f"at work {os.environ.get('DO_NOT_TRACK')}")
    say_ready()
    while True:
        time.sleep(60)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def finish(file: Path) -> None:
    with file.open("a") as stopped:
        stopped.write(f"{os.getpid()}\n")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else os.devnull))
