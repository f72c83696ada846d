"""The catalog as pages: the list of models, and one model with its endpoints, prices and versions."""

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import endpoints, service
from .records import Model

pages = Pages(tag="models", section="/models")


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model and what keeps it from being called, if anything."""

    model: Model
    missing: str


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    models: tuple[ListedModel, ...]


class ModelPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows: one version, and all versions of the name, newest first."""

    model: Model
    missing: str
    versions: tuple[Model, ...]


@pages.get("/models", permission="models.read", template="models/list.html")
async def list_models(ctx: ContextDep) -> ModelList:
    """Every model of the project."""
    found = await service.list_models(ctx)
    return ModelList(
        models=tuple(ListedModel(model=m, missing=endpoints.unavailable_reason(m.name, m.spec)) for m in found)
    )


@pages.get("/models/{name:path}", permission="models.read", template="models/show.html")
async def show_model(ctx: ContextDep, name: str, version: int | None = None) -> ModelPage:
    """One model."""
    model = await service.get_model(ctx, name, version)
    return ModelPage(
        model=model,
        missing=endpoints.unavailable_reason(model.name, model.spec),
        versions=await service.list_versions(ctx, name),
    )
