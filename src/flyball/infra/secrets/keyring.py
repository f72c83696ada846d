"""What references stand for in this process: fetched once for all who ask, kept for a while, fetched again in the background.

Who has asked before never waits again: an old answer holds until the new one is there.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from flyball.kit.clock import NANOSECONDS, Clock
from flyball.kit.layout import Layout
from flyball.settings import Settings

from .operator import fetch
from .references import Found, LookUp, Missing, Reference, parse
from .safe import Safe

_AGAIN_SECONDS = 10.0  # after a failure
_FILE_SECONDS = 10.0  # a file is cheap to read
_OLDEST_FACTOR = 12  # how many times its age an answer may get while no new one is to be had
_PATIENCE_SECONDS = 0.5  # for an answer that was never there


class _Held(NamedTuple):
    answer: Found | Missing
    at_ns: int
    tried_ns: int


class Keyring:
    """One per process, with the safe of stored secrets.

    `when_changed` is called when an answer came in the background that differs from the one before.
    """

    def __init__(self, settings: Settings, layout: Layout, clock: Clock) -> None:
        self.when_changed: Callable[[], None] | None = None
        self.safe = Safe(settings, layout, clock)
        self._settings = settings
        self._layout = layout
        self._clock = clock
        self._held: dict[Reference, _Held] = {}
        self._coming: dict[Reference, asyncio.Task[None]] = {}

    async def look_up(
        self,
        texts: Collection[str],
        *,
        stored: Mapping[str, Found | Missing],
        patience: float = _PATIENCE_SECONDS,
    ) -> LookUp:
        """What these references stand for, as a function to ask. `stored` are the project's own secrets, by name.

        What was never fetched is waited for, all together at most `patience` seconds.
        """
        outside = {text: found for text in texts if (found := parse(text)) and found.kind not in ("secret", "env")}
        new = [
            task
            for reference in outside.values()
            if (task := self._begin_if_old(reference)) and reference not in self._held
        ]
        if new:
            await asyncio.wait(new, timeout=patience)
        env = {
            text: await fetch(found, self._settings, self._layout)
            for text in texts
            if (found := parse(text)) and found.kind == "env"
        }
        kept = {text: self._kept(reference) for text, reference in outside.items()}

        def told(text: str) -> Found | Missing:
            reference = parse(text)
            if reference is None:
                return Missing(f"{text:.60} is no reference to a secret")
            if reference.kind == "secret":
                unknown = f"there is no secret named {reference.name}; `flyball secrets set {reference.name}` makes it"
                return stored.get(reference.name, Missing(unknown))
            return env.get(text) or kept.get(text) or Missing(f"{text} was not looked up")

        return told

    def _kept(self, reference: Reference) -> Found | Missing:
        held = self._held.get(reference)
        if held is None:
            return Missing(f"{reference} is still being fetched")
        if isinstance(held.answer, Found) and self._clock.monotonic_ns() - held.at_ns > _OLDEST_FACTOR * _life_ns(
            reference, self._settings
        ):
            return Missing(f"{reference} could not be fetched again for too long")
        return held.answer

    def _begin_if_old(self, reference: Reference) -> asyncio.Task[None] | None:
        """The task that fetches it, where it has to be fetched (again)."""
        held, now_ns = self._held.get(reference), self._clock.monotonic_ns()
        if (coming := self._coming.get(reference)) is not None:
            return coming
        if held is not None:
            good = isinstance(held.answer, Found) and held.at_ns == held.tried_ns
            life_ns = _life_ns(reference, self._settings) if good else int(_AGAIN_SECONDS * NANOSECONDS)
            if now_ns - held.tried_ns < life_ns:
                return None
        task = asyncio.create_task(self._fetch(reference))
        self._coming[reference] = task
        task.add_done_callback(lambda done: self._end(reference, done))
        return task

    async def _fetch(self, reference: Reference) -> None:
        answer = await fetch(reference, self._settings, self._layout)
        before, now_ns = self._held.get(reference), self._clock.monotonic_ns()
        if before is not None and isinstance(before.answer, Found) and isinstance(answer, Missing):
            self._held[reference] = before._replace(tried_ns=now_ns)  # the old one holds, for a while
            return
        self._held[reference] = _Held(answer, now_ns, now_ns)
        if (before is None or before.answer != answer) and self.when_changed is not None:
            self.when_changed()

    def _end(self, reference: Reference, task: asyncio.Task[None]) -> None:
        del self._coming[reference]
        if not task.cancelled():
            task.exception()  # seen: the next who asks tries again


def _life_ns(reference: Reference, settings: Settings) -> int:
    seconds = min(_FILE_SECONDS, settings.secret_seconds) if reference.kind == "file" else settings.secret_seconds
    return int(seconds * NANOSECONDS)
