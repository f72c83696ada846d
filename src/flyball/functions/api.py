"""The HTTP face of functions: parse, one verb, answer. Functions are made by applying a configuration."""

import msgspec

from flyball.surface.http import ContextDep, Router

from . import service
from .records import Function, LiveRelease, PinnedVariant

router = Router("/api/functions", tag="functions")


class FunctionList(msgspec.Struct, frozen=True, kw_only=True):
    """Functions, or versions of one."""

    items: tuple[Function, ...]


class FunctionView(msgspec.Struct, frozen=True, kw_only=True):
    """A function, its variants as they would run now, and what serves it."""

    function: Function
    variants: tuple[PinnedVariant, ...]
    live: LiveRelease | None


class VariantList(msgspec.Struct, frozen=True, kw_only=True):
    """Pinned variants, newest first."""

    items: tuple[PinnedVariant, ...]


@router.get("", permission="functions.read", returns=FunctionList)
async def list_functions(ctx: ContextDep) -> FunctionList:
    """The newest version of every function, by name."""
    return FunctionList(items=await service.list_functions(ctx))


@router.get("/{name}", permission="functions.read", returns=FunctionView)
async def show_function(ctx: ContextDep, name: str, version: int | None = None) -> FunctionView:
    """A function: its newest version, or the asked one, with its variants as they would run now."""
    function = await service.get_function(ctx, name, version)
    return FunctionView(
        function=function, variants=await service.variants_now(ctx, function), live=await service.get_live(ctx, name)
    )


@router.get("/{name}/versions", permission="functions.read", returns=FunctionList)
async def list_function_versions(ctx: ContextDep, name: str) -> FunctionList:
    """Every version of a function, newest first."""
    return FunctionList(items=await service.list_versions(ctx, name))


@router.get("/{name}/variants", permission="functions.read", returns=VariantList)
async def list_function_variants(ctx: ContextDep, name: str) -> VariantList:
    """Every variant of a function that was ever pinned, newest first."""
    return VariantList(items=await service.list_variants(ctx, name))
