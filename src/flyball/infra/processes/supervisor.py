"""All children together: started at once, kept alive, stopped in order. Knows no child by name and nothing of databases."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from flyball.kit.tally import Tally

from .child import Child, ChildSpec
from .errors import ChildFailedError
from .logs import ChildLog

_FIRST_PAUSE = 0.1  # seconds before a dead child is started again, doubling
_LONGEST_PAUSE = 30.0
_STEADY = 60.0  # seconds after which a child counts as well again
_HURRIED_GRACE = 2.0  # seconds that a child gets after the second signal to stop

Tell = Callable[[str], None]


class Supervisor:
    """Runs the children until told to stop. `tell` gets a line for each thing that a person would want to know."""

    def __init__(self, specs: Sequence[ChildSpec], logs: Path, tell: Tell) -> None:
        self.children = [Child(spec, ChildLog(logs / f"{spec.name}.log")) for spec in specs]
        self._tell = tell
        self._keepers: list[asyncio.Task[None]] = []
        self._hurry = asyncio.Event()
        self._ends: dict[str, str] = {}  # how each child that died ended last, by name

    def launch(self) -> None:
        """Start every process; each does its imports and waits. Costs milliseconds, so it can come before the database."""
        for child in self._first:
            child.start()

    async def begin(self) -> None:
        """Let them begin, return when they are ready, and keep them alive from then on; start those that come later.

        Raises:
            ChildFailedError: one did not become ready. The others still run: `stop` ends them.
        """
        for child in self._first:
            child.begin()
        await _all_or_first_failure([self._until_ready(child) for child in self._first])
        self._keepers = [asyncio.create_task(self._keep(child)) for child in self.children]

    async def keep(self) -> None:
        """Never returns: raises what no child's death explains, should there be such a thing."""
        await asyncio.gather(*self._keepers)

    async def stop(self) -> None:
        """Wave by wave: ask, wait, insist. `hurry` shortens the waiting."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for wave in sorted({child.spec.stop_wave for child in self.children}):
            await asyncio.gather(*(self._stop(child) for child in self.children if child.spec.stop_wave == wave))

    def look(self, tally: Tally) -> None:
        """Tell how often each child was started, which process it is now, and how it ended last."""
        for child in self.children:
            tally.total("starts", child.starts, of=child.spec.name)
            tally.level("pid", child.pid if child.running else 0, of=child.spec.name)
            if child.starts > 1:
                tally.say(f"ended {child.spec.name}", self._ends.get(child.spec.name, ""))

    def hurry(self) -> None:
        """The second signal: whoever is still running gets two seconds. The third: nothing."""
        if self._hurry.is_set():
            for child in self.children:
                child.kill()
        self._hurry.set()

    @property
    def _first(self) -> list[Child]:
        return [child for child in self.children if not child.spec.later]

    async def _until_ready(self, child: Child, word: str = "ready") -> None:
        await child.until_ready()
        self._tell(f"  {child.spec.name:<10} {word} in {time.monotonic() - child.started:.1f} s (process {child.pid})")

    async def _keep(self, child: Child) -> None:
        pause = _FIRST_PAUSE
        if child.spec.later:
            await self._start(child, "ready")
        while True:
            began = time.monotonic()
            await child.ended.wait()
            if time.monotonic() - began > _STEADY:
                pause = _FIRST_PAUSE
            self._ends[child.spec.name] = child.how_it_ended()
            self._tell(_obituary(child, pause))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            await self._start(child, "ready again")

    async def _start(self, child: Child, word: str) -> None:
        try:
            child.start()
            child.begin()
            await self._until_ready(child, word)
        except ChildFailedError as error:
            self._tell(f"  {error.message}")
            if child.running:
                child.kill()
                await child.ended.wait()

    async def _stop(self, child: Child) -> None:
        if not child.running:
            return
        began = time.monotonic()
        stopping = asyncio.create_task(child.stop(child.spec.grace_seconds))
        hurrying = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({stopping, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await asyncio.wait({stopping}, timeout=_HURRIED_GRACE)
            child.kill()
        hurrying.cancel()
        of_itself = await stopping and not child.was_killed
        how = "stopped" if of_itself else "was killed: it did not stop in time"
        self._tell(f"  {child.spec.name:<10} {how} after {time.monotonic() - began:.1f} s")


async def _all_or_first_failure(waits: Sequence[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _obituary(child: Child, pause: float) -> str:
    last = child.log.last_lines(1)
    said = f"; it said last: {last[0].strip()[:200]}" if last else ""
    return f"  {child.spec.name:<10} {child.how_it_ended()}{said}; starting it again in {pause:g} s"
