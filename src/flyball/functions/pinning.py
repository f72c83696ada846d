"""Naming everything that a variant depends on by exact version and hash, so that it can be judged, released and explained.

What a pinned variant says never changes; whether this process can run it is looked at anew each time.
"""

from typing import Any

import msgspec

from flyball.indexes import store as indexes
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.models import store as models
from flyball.prompts import store as prompts

from . import store
from .availability import with_availability
from .errors import DeclarationError
from .records import Function, PinnedVariant, PromptVariant, Retrieval, RulesVariant, Variant, pinned_hash
from .references import parse_reference


async def pin_variants(connection: Connection, ctx: Context, function: Function) -> tuple[PinnedVariant, ...]:
    """Every variant of the function with its dependencies' newest versions, in the order of declaration.

    They are kept for ever in `variants`, except those whose index was never built: these come back unavailable.

    Raises:
        DeclarationError: a variant names a prompt or model that does not exist.
    """
    return tuple([await pin_variant(connection, ctx, function, name) for name in function.spec.variants])


async def pin_variant(connection: Connection, ctx: Context, function: Function, name: str) -> PinnedVariant:
    """One variant of the function, pinned as `pin_variants` does. Raises DeclarationError."""
    variant = await look_at_variant(connection, ctx, function, name)
    if variant.spec["retrieval"] is None or variant.spec["retrieval"]["version"] is not None:
        await store.insert_variant(connection, ctx.project, variant, ctx.clock.now_ns())
    return variant


async def look_at_variant(connection: Connection, ctx: Context, function: Function, name: str) -> PinnedVariant:
    """What pinning would give now; nothing is kept. Raises DeclarationError."""
    declared = function.spec.variants.get(name)
    if declared is None:
        known = ", ".join(function.spec.variants)
        raise DeclarationError(
            f"the function {function.name!r} has no variant {name!r}", next_step=f"name one of: {known}"
        )
    kind, own = await _pinned(connection, ctx, function, name, declared)
    spec = {"input": function.spec.input, "output": function.spec.output, **own}
    hash_ = pinned_hash(function.name, name, kind, spec)
    pinned = PinnedVariant(function=function.name, name=name, kind=kind, spec=spec, hash=hash_)
    return await with_availability(connection, ctx, pinned)


async def _pinned(
    connection: Connection, ctx: Context, function: Function, name: str, declared: Variant
) -> tuple[Any, dict[str, Any]]:
    where = f"functions.{function.name}.variants.{name}"
    if isinstance(declared, RulesVariant):
        reference = parse_reference(declared.code)
        code = {
            "reference": declared.code,
            "module": reference.module,
            "function": reference.function,
            "hash": function.spec.code[reference.module],
        }
        retrieval = await _retrieval(connection, ctx, declared.retrieval)
        return "rules", {"code": code, "retrieval": retrieval, "timeout_seconds": declared.timeout_seconds}
    if isinstance(declared, PromptVariant):
        return "prompt", {
            "prompt": await _prompt(connection, ctx, where, declared.prompt),
            "model": await _model(connection, ctx, where, declared.model),
            "parameters": declared.parameters,
            "retrieval": await _retrieval(connection, ctx, declared.retrieval),
        }
    raise DeclarationError(f"{where}: variants of this kind cannot run yet", next_step="use kind rules or prompt")


async def _retrieval(connection: Connection, ctx: Context, declared: Retrieval | None) -> dict[str, Any] | None:
    if declared is None:
        return None
    version = await indexes.current_version(connection, ctx.project, declared.index)
    pinned = msgspec.to_builtins(version) if version is not None else None
    return {"index": declared.index, "k": declared.k, "query": declared.query, "version": pinned}


async def _prompt(connection: Connection, ctx: Context, where: str, name: str) -> dict[str, Any]:
    prompt = await prompts.get(connection, ctx.project, name)
    if prompt is None:
        raise DeclarationError(f"{where}: there is no prompt named {name!r}", next_step="see `flyball prompts list`")
    return {"name": name, "version": prompt.version, "hash": prompt.hash, "path": prompt.path, "source": prompt.source}


async def _model(connection: Connection, ctx: Context, where: str, name: str) -> dict[str, Any]:
    model = await models.get(connection, ctx.project, name)
    if model is None:
        raise DeclarationError(f"{where}: there is no model named {name!r}", next_step="see `flyball models list`")
    return {"name": name, "version": model.version, "hash": model.hash, "spec": msgspec.to_builtins(model.spec)}
