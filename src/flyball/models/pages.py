"""The catalog as pages: the list of models, and one model with its endpoints, prices and versions."""

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import endpoints, service
from .reaching import unavailable_reasons
from .records import Endpoint, Model

pages = Pages(tag="models", section="/models")


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model and what keeps it from being called, if anything."""

    model: Model
    missing: str


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    models: tuple[ListedModel, ...]


class ShownEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint: the model's name there, where it is called, and the references of what it is called with."""

    model: str
    provider: str
    address: str
    keys: tuple[str, ...]
    weight: float


class ModelPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows: one version with its endpoints, and all versions of the name, newest first."""

    model: Model
    endpoints: tuple[ShownEndpoint, ...]
    missing: str
    versions: tuple[Model, ...]


@pages.get("/models", permission="models.read", template="models/list.html")
async def list_models(ctx: ContextDep) -> ModelList:
    """Every model of the project."""
    found = await service.list_models(ctx)
    reasons = await unavailable_reasons(ctx, found)
    return ModelList(models=tuple(ListedModel(model=model, missing=reasons[model.id]) for model in found))


@pages.get("/models/{name:path}", permission="models.read", template="models/show.html")
async def show_model(ctx: ContextDep, name: str, version: int | None = None) -> ModelPage:
    """One model."""
    model = await service.get_model(ctx, name, version)
    return ModelPage(
        model=model,
        endpoints=tuple(_shown(endpoint) for endpoint in model.spec.endpoints),
        missing=(await unavailable_reasons(ctx, [model]))[model.id],
        versions=await service.list_versions(ctx, name),
    )


def _shown(endpoint: Endpoint) -> ShownEndpoint:
    return ShownEndpoint(
        model=endpoint.model,
        provider=endpoint.provider,
        address=endpoints.address_of(endpoint),
        keys=endpoints.references_of(endpoint),
        weight=endpoint.weight,
    )
