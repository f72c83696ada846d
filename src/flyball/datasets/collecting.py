"""Starting the collector and waiting for its stage. Knows the child process, not what it reads."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from flyball.infra.processes.environment import bare_environment

from .collector import FULL_EXIT, REFUSED_EXIT, Order, Refused
from .errors import CollectorError, SourceNotFoundError, StagingFullError
from .records import Declaration
from .staging import Manifest, clear, read_manifest

Progress = Callable[[int], Awaitable[None]]
_LAST_WORDS = 2000
_TRIES = 3


async def collect(declaration: Declaration, stage: Path, progress: Progress) -> Manifest:
    """The manifest of the stage, collected unless it is whole already.

    Raises:
        SourceNotFoundError: there is nothing at the location.
        StagingFullError: the disk has no room for the stage.
        CollectorError: the child ended in another way, or was killed each time; its last words are in the message.
    """
    known = read_manifest(stage)
    if known is not None:
        return known
    clear(stage)
    order = Order(
        source=declaration.source,
        kind=declaration.kind,
        location=declaration.location,
        licence=declaration.licence,
        stage=str(stage),
    )
    for _ in range(_TRIES):
        status, last_words = await _run(order, progress)
        manifest = read_manifest(stage)
        if status == 0 and manifest is not None:
            return manifest
        clear(stage)
        if status != -signal.SIGKILL:  # which comes from outside: somebody, or a machine that is short of memory
            break
    if status == FULL_EXIT:
        raise StagingFullError(str(stage.parent))
    raise _failure(declaration, status, last_words)


async def _run(order: Order, progress: Progress) -> tuple[int, bytes]:
    """The child's exit status and what it said on standard error."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "flyball.datasets.collector",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(order.stage).parent,
        env=_environment(),
    )
    try:
        last_words, _ = await asyncio.gather(_read_all(child), _follow(child, order, progress))
        return await child.wait(), last_words
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _follow(child: asyncio.subprocess.Process, order: Order, progress: Progress) -> None:
    assert child.stdin is not None  # noqa: S101 -- a pipe
    assert child.stdout is not None  # noqa: S101 -- a pipe
    child.stdin.write(msgspec.json.encode(order) + b"\n")  # and stays open: the child ends when it closes
    async for line in child.stdout:
        await progress(int(line))


async def _read_all(child: asyncio.subprocess.Process) -> bytes:
    assert child.stderr is not None  # noqa: S101 -- a pipe
    return await child.stderr.read()


def _failure(declaration: Declaration, status: int, last_words: bytes) -> SourceNotFoundError | CollectorError:
    if status == REFUSED_EXIT:
        refused = msgspec.json.decode(last_words.splitlines()[-1], type=Refused)
        return SourceNotFoundError(refused.message, next_step=refused.next_step)
    return CollectorError(
        f"reading {declaration.location or declaration.source!r} ended with status {status}: "
        f"{last_words.decode(errors='replace')[-_LAST_WORDS:].strip() or 'no reason given'}",
        next_step="import it again; if it happens again, leave out what the message names",
    )


def _environment() -> dict[str, str]:
    """No secret, for it reads what somebody sent; the same hash seed each time, so that sets print alike."""
    return bare_environment({"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "LC_ALL": "C.UTF-8"})
