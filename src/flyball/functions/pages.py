"""Functions as pages: the list, and one function with its schemas, its variants and what serves it."""

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import service
from .records import Function, LiveRelease, PinnedVariant

pages = Pages(tag="functions", section="/functions")


class ListedFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function and what serves it."""

    function: Function
    live: LiveRelease | None


class FunctionList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    functions: tuple[ListedFunction, ...]


class FunctionPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows: one version, its declared variants as plain values, and every pinned variant."""

    function: Function
    declared: dict[str, dict[str, object]]
    live: LiveRelease | None
    pinned: tuple[PinnedVariant, ...]
    versions: tuple[Function, ...]


@pages.get("/functions", permission="functions.read", template="functions/list.html")
async def list_functions(ctx: ContextDep) -> FunctionList:
    """Every function of the project."""
    found = [
        ListedFunction(function=function, live=await service.get_live(ctx, function.name))
        for function in await service.list_functions(ctx)
    ]
    return FunctionList(functions=tuple(found))


@pages.get("/functions/{name}", permission="functions.read", template="functions/show.html")
async def show_function(ctx: ContextDep, name: str, version: int | None = None) -> FunctionPage:
    """One function."""
    function = await service.get_function(ctx, name, version)
    return FunctionPage(
        function=function,
        declared={variant: msgspec.to_builtins(spec) for variant, spec in function.spec.variants.items()},
        live=await service.get_live(ctx, name),
        pinned=await service.list_variants(ctx, name),
        versions=await service.list_versions(ctx, name),
    )
