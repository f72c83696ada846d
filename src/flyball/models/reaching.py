"""Whether and how this process reaches models: their references looked up, their endpoints resolved. Light: the gateway asks, too."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.db.operators import is_operators
from flyball.secrets import service as secrets
from flyball.secrets.following import FollowedSecrets

from . import endpoints
from .endpoints import ResolvedEndpoint
from .records import Model, ModelSpec

Reach: TypeAlias = Callable[
    [str, str, ModelSpec], Awaitable[tuple[ResolvedEndpoint, ...]]
]  # project, name, declaration


async def unavailable_reasons(ctx: Context, models: Collection[Model]) -> Mapping[str, str]:
    """Why each of these models cannot be called from this process, by id; empty where it can."""
    wanted = frozenset(text for model in models for text in endpoints.references_in(model.spec))
    async with ctx.db.connection() as connection:
        look_up = await secrets.look_up(connection, ctx, wanted)
    return {model.id: endpoints.unavailable_reason(model.name, model.spec, look_up) for model in models}


async def unavailable_reason(connection: Connection, ctx: Context, name: str, spec: ModelSpec) -> str:
    """Why a model with this declaration cannot be called from this process; empty where it can."""
    look_up = await secrets.look_up(connection, ctx, endpoints.references_in(spec))
    return endpoints.unavailable_reason(name, spec, look_up)


def following(secrets_of_all: FollowedSecrets) -> Reach:
    """How a process that follows the news, and asks no SQL for a call, reaches every project's models.

    Whether addresses are held against the networks that are not called, whoever gives the order knows.
    """

    async def reach(project: str, name: str, spec: ModelSpec) -> tuple[ResolvedEndpoint, ...]:
        return endpoints.resolve(name, spec, await secrets_of_all.look_up(project, endpoints.references_in(spec)))

    return reach


def reaching(ctx: Context) -> Reach:
    """How a process with a database reaches the models of its context's project."""

    async def reach(_: str, name: str, spec: ModelSpec) -> tuple[ResolvedEndpoint, ...]:
        async with ctx.db.connection() as connection:
            look_up = await secrets.look_up(connection, ctx, endpoints.references_in(spec))
            guarded = not await is_operators(connection, ctx.project)
        return endpoints.resolve(name, spec, look_up, guarded=guarded)

    return reach
