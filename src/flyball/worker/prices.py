"""What a call cost by the prices that a project has declared for its models: for spans that do not bring a cost of their own.

Knows catalogs and prices; knows no span. Read again now and then, since people change them.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from flyball.infra.context import Context
from flyball.kit.errors import FlyballError
from flyball.llm.usage import Usage
from flyball.models import store
from flyball.models.pricing import cost
from flyball.models.records import Prices
from flyball.traces.normalising import Price, normalise
from flyball.traces.records import Span
from flyball.traces.told import Told, ToldLog

_LOOK_SECONDS = 30.0


class DeclaredPrices:
    """By project and model: the catalog's name for it, or the name that its provider knows."""

    def __init__(self, ctx: Context) -> None:
        self._db = ctx.db.across_projects()
        self._by_project: dict[str, dict[str, Prices]] = {}
        self._functions: dict[str, Price] = {}

    async def follow(self) -> None:
        """Read them again every half minute, until cancelled."""
        while True:
            with suppress(FlyballError):  # the database is away; what was read last still holds
                await self.read()
            await asyncio.sleep(_LOOK_SECONDS)

    async def read(self) -> None:
        """Read the catalogs of all projects."""
        async with self._db.connection() as connection:
            models = await store.all_current(connection)
        found: dict[str, dict[str, Prices]] = {}
        for model in models:
            if model.spec.prices is not None:
                mine = found.setdefault(model.project, {})
                for endpoint in model.spec.endpoints:
                    mine.setdefault(endpoint.model, model.spec.prices)
                mine[model.name] = model.spec.prices
        self._by_project = found

    def understand(self, project: str, told: Told, logs: Sequence[ToldLog]) -> Span:
        """A span as ours, at the project's prices."""
        price = self._functions.get(project)
        if price is None:
            price = self._functions[project] = partial(self._price, project)
        return normalise(told, logs, price=price)

    def _price(self, project: str, provider: str, model: str, usage: Usage, when_ns: int) -> tuple[int, str] | None:
        del provider, when_ns  # a project names each model once, and the newest prices are those of now
        prices = self._by_project.get(project, {}).get(model)
        if prices is None:
            return None
        found = cost(usage, prices)
        return None if found.nano_usd is None else (found.nano_usd, found.price_version)
