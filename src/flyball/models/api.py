"""The HTTP face of models: parse, one verb, answer. Models are made by applying a configuration."""

import msgspec

from flyball.surface.http import ContextDep, Router

from . import service
from .reaching import unavailable_reasons
from .records import Model, Provider

router = Router("/api/models", tag="models")


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and whether flyball's processes can call it: not where a secret or a variable is missing."""

    model: Model
    available: bool
    unavailable_reason: str


class ModelStates(msgspec.Struct, frozen=True, kw_only=True):
    """The project's models by name."""

    items: tuple[ModelState, ...]


class ModelVersions(msgspec.Struct, frozen=True, kw_only=True):
    """Every version of one model, newest first."""

    items: tuple[Model, ...]


class Providers(msgspec.Struct, frozen=True, kw_only=True):
    """The vendors that an endpoint may name, by name."""

    items: tuple[Provider, ...]


@router.get("", permission="models.read", returns=ModelStates)
async def list_models(ctx: ContextDep) -> ModelStates:
    """The newest version of every model."""
    found = await service.list_models(ctx)
    reasons = await unavailable_reasons(ctx, found)
    return ModelStates(items=tuple(_state(model, reasons[model.id]) for model in found))


@router.get("/providers", permission="models.read", returns=Providers)
async def list_providers(ctx: ContextDep) -> Providers:  # noqa: ARG001 -- the catalog is the same for all
    """The vendors that a model's endpoint may name, and what each needs to be told."""
    return Providers(items=service.list_providers())


@router.get("/{name:path}/versions", permission="models.read", returns=ModelVersions)
async def list_model_versions(ctx: ContextDep, name: str) -> ModelVersions:
    """Every version of a model, newest first."""
    return ModelVersions(items=await service.list_versions(ctx, name))


@router.get("/{name:path}", permission="models.read", returns=ModelState)
async def show_model(ctx: ContextDep, name: str, version: int | None = None) -> ModelState:
    """A model: its newest version, or the asked one."""
    model = await service.get_model(ctx, name, version)
    return _state(model, (await unavailable_reasons(ctx, [model]))[model.id])


def _state(model: Model, reason: str) -> ModelState:
    return ModelState(model=model, available=not reason, unavailable_reason=reason)
