"""What executions need of this process: the retriever, captured code, model calls, the clock. Heavy: never in the gateway."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from flyball.indexes import engines
from flyball.infra.blobs.store import Blobs
from flyball.infra.egress.client import Egress
from flyball.infra.layout import Layout
from flyball.kit.clock import Clock
from flyball.llm.connections import Connections
from flyball.llm.wire import Wire
from flyball.models.reaching import Reach
from flyball.settings import Settings

from .code import CodeFolder
from .completion import ModelCaller
from .passages import Search


async def _at_once() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """One per process; what belongs to one execution is made by `run_variant`."""

    search: Search
    code: CodeFolder
    models: ModelCaller
    clock: Clock
    ready_to_search: Callable[[], Awaitable[None]] = _at_once  # what is loaded once is on no execution's time

    def guarded(self) -> "Tools":
        """The same for a project that is not the operator's: models are called at public and listed addresses alone."""
        return replace(self, models=self.models.guarded())


@asynccontextmanager
async def open_tools(
    *, layout: Layout, blobs: Blobs, clock: Clock, settings: Settings, reach: Reach
) -> AsyncIterator[Tools]:
    """The tools of this process, which reaches models by `reach`; connections to them are closed at the end."""
    connections = Connections(settings.connect_timeout_seconds, guard=Egress.of(settings).numbers)
    async with Wire(clock, idle_seconds=settings.idle_timeout_seconds, connections=connections) as wire:
        yield Tools(
            search=partial(engines.search, layout),
            code=CodeFolder(layout.code, blobs),
            models=ModelCaller(wire, clock, reach=reach, seconds=settings.request_deadline_seconds),
            clock=clock,
            ready_to_search=engines.load,
        )
