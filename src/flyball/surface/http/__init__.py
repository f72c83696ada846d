'''What a room's `api.py` is made of: routes that carry a permission, bodies that are checked, answers in JSON.

A room's file:

    """The HTTP face of datasets: parse, one verb, answer."""

    import msgspec

    from flyball.datasets import service
    from flyball.kit.paging import Page
    from flyball.surface.http import Body, ContextDep, Router

    from .records import Dataset

    router = Router("/api/datasets", tag="datasets")


    class NewDataset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """A dataset to make."""

        name: str


    @router.get(permission="datasets.read", returns=Page[Dataset])
    async def list_datasets(ctx: ContextDep, cursor: str = "", limit: int = 50) -> Page[Dataset]:
        """The project's datasets, newest first."""
        return await service.list_datasets(ctx, cursor, limit)


    @router.post(permission="datasets.write", returns=Dataset, status=201)
    async def create_dataset(ctx: ContextDep, new: NewDataset = Body(NewDataset)) -> Dataset:
        """Make an empty dataset."""
        return await service.create(ctx, new.name)


    @router.get("/{name}", permission="datasets.read", returns=Dataset)
    async def show_dataset(ctx: ContextDep, name: str) -> Dataset:
        """One dataset."""
        return await service.get(ctx, name)

and one line in `web/routers.py`. `ctx` is the request's context: its project and its actor are proven. Errors of
`kit.errors` become `{"error": {"code", "message", "next_step"}}`. A route may return a Starlette response of its own.
'''

from flyball.infra.context import permits

from .bodies import Body, FileBody, Pieces
from .cookies import set_cookie
from .csrf import form_token
from .identity import AUTHENTICATED, PUBLIC, ContextDep, require
from .responses import Failure, Json
from .router import Router

__all__ = [
    "AUTHENTICATED",
    "PUBLIC",
    "Body",
    "ContextDep",
    "Failure",
    "FileBody",
    "Json",
    "Pieces",
    "Router",
    "form_token",
    "permits",
    "require",
    "set_cookie",
]
