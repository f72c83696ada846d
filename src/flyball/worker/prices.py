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
from flyball.traces.alike import Foreign, Understood, understood
from flyball.traces.fields import Price

_LOOK_SECONDS = 30.0


class DeclaredPrices:
    """By project and model: the catalog's name for it, or the name that its provider knows."""

    def __init__(self, ctx: Context) -> None:
        self._db = ctx.db.across_projects()
        self._by_project: dict[str, dict[str, Prices]] = {}

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

    def understand(self, foreign: Sequence[Foreign]) -> Understood:
        """What spans tell, at the prices of their projects."""
        return understood(foreign, self.of)

    def of(self, project: str) -> Price | None:
        """The project's prices; None where it declares none."""
        return partial(self._price, project) if project in self._by_project else None

    def _price(self, project: str, provider: str, model: str, usage: Usage, when_ns: int) -> tuple[int, str] | None:
        del provider, when_ns  # a project names each model once, and the newest prices are those of now
        prices = self._by_project.get(project, {}).get(model)
        if prices is None:
            return None
        found = cost(usage, prices)
        return None if found.nano_usd is None else (found.nano_usd, found.price_version)
