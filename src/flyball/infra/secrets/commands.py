"""`cmd:NAME`: commands that the operator wrote into a file, by name. Nothing that comes through the API becomes part of one.

The file is YAML or JSON: `name: [program, argument, ...]`. No shell is involved.
"""

import asyncio
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from flyball.kit.secrets import Secret

from .files import LARGEST, read_small
from .references import Found, Missing

_SECONDS = 20.0


class Said(NamedTuple):
    """What a command printed, or why that is nothing."""

    text: Secret | None
    problem: str = ""


async def from_command(name: str, listed: str) -> Found | Missing:
    """What the command of that name prints. `listed` is the operator's file, empty where there is none."""
    if not listed:
        return Missing(f"the command {name} is not known: FLYBALL_SECRET_COMMANDS names no file of commands")
    try:
        commands = await asyncio.to_thread(_read, Path(listed))
    except (OSError, ValueError) as error:
        return Missing(f"{listed} cannot be used: {error}")
    if name not in commands:
        return Missing(f"{listed} lists no command named {name}")
    said = await run(commands[name])
    return Found(said.text) if said.text else Missing(f"the command {name} {said.problem}")


def _read(path: Path) -> Mapping[str, list[str]]:
    mode = path.stat()
    if mode.st_uid not in (0, os.getuid()) or mode.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError("others than its owner may write it")
    try:
        found = yaml.safe_load(read_small(path))
    except yaml.YAMLError:
        raise ValueError("it is no YAML") from None
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(words, list) and words and all(isinstance(word, str) for word in words)
        for name, words in found.items()
    ):
        raise ValueError("it is no table of names and lists of words")
    return found


async def run(words: list[str], *, seconds: float = _SECONDS) -> Said:
    """Run a program without a shell; it gets nothing on its standard input and none of flyball's own settings."""
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("FLYBALL_")}
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # it may say what is secret
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Said(None, f"cannot be started ({type(error).__name__})")
    try:
        async with asyncio.timeout(seconds):
            assert process.stdout is not None  # noqa: S101 -- asked for above
            data = await process.stdout.read(LARGEST + 1)
            while len(data) <= LARGEST and (piece := await process.stdout.read(LARGEST + 1 - len(data))):
                data += piece
            code = await process.wait() if len(data) <= LARGEST else 0
    except TimeoutError:
        return Said(None, f"did not end within {seconds:g} s")
    finally:
        _end(process)
        await process.wait()
    if len(data) > LARGEST:
        return Said(None, "printed more than any secret has")
    text = data.decode(errors="replace").strip()
    if code or not text:
        return Said(None, f"ended with exit code {code}" if code else "printed nothing")
    return Said(Secret(text))


def _end(process: asyncio.subprocess.Process) -> None:
    """It, and whatever it started."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            return
