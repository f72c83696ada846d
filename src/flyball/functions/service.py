"""The verbs of functions: list, look up, and put a new version where the declaration or its code differs."""

import asyncio
from collections.abc import Mapping

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.hashing import bytes_hash, content_hash
from flyball.kit.ids import new_id
from flyball.projects import tenants

from . import store
from .availability import with_availability
from .code import check_source
from .errors import CodeNotAllowedError, DeclarationError, FunctionNotFoundError
from .pinning import look_at_variant
from .records import Function, FunctionSpec, LiveRelease, PinnedVariant, PromptVariant, RulesVariant
from .references import parse_reference
from .schemas import check_schema


async def list_functions(ctx: Context) -> tuple[Function, ...]:
    """The newest version of every function, by name."""
    async with ctx.db.connection() as connection:
        return await store.all_current(connection, ctx.project)


async def get_function(ctx: Context, name: str, version: int | None = None) -> Function:
    """The newest version, or the asked one. Raises FunctionNotFoundError."""
    async with ctx.db.connection() as connection:
        function = await store.get(connection, ctx.project, name, version)
    if function is None:
        raise FunctionNotFoundError(name if version is None else f"{name} version {version}")
    return function


async def list_versions(ctx: Context, name: str) -> tuple[Function, ...]:
    """Every version of a name, newest first. Raises FunctionNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await store.versions(connection, ctx.project, name)
    if not found:
        raise FunctionNotFoundError(name)
    return found


async def list_variants(ctx: Context, name: str) -> tuple[PinnedVariant, ...]:
    """Every variant of a function that was ever pinned, newest first. Raises FunctionNotFoundError."""
    await get_function(ctx, name)
    async with ctx.db.connection() as connection:
        found = await store.variants_of(connection, ctx.project, name)
        return tuple([await with_availability(connection, ctx, variant) for variant in found])


async def variants_now(ctx: Context, function: Function) -> tuple[PinnedVariant, ...]:
    """The function's variants with their dependencies' newest versions, as they would be pinned now; nothing is kept."""
    async with ctx.db.connection() as connection:
        return tuple([await look_at_variant(connection, ctx, function, name) for name in function.spec.variants])


async def get_live(ctx: Context, name: str) -> LiveRelease | None:
    """What serves the function now; None: nothing yet."""
    async with ctx.db.connection() as connection:
        return await store.get_live(connection, ctx.project, name)


def check(name: str, spec: FunctionSpec, sources: Mapping[str, bytes]) -> None:
    """Prove a declaration sound, apart from the names that it refers to. Raises DeclarationError."""
    place = f"functions.{name}"
    check_schema(f"{place}.input", spec.input)
    check_schema(f"{place}.output", spec.output)
    if spec.input.get("type") != "object":
        raise DeclarationError(
            f"{place}.input must have `type: object`", next_step="describe the input's fields under `properties`"
        )
    if not spec.variants:
        raise DeclarationError(f"{place}.variants is empty", next_step="declare at least one variant")
    for variant_name, variant in spec.variants.items():
        where = f"{place}.variants.{variant_name}"
        if isinstance(variant, RulesVariant):
            _check_code(where, variant, sources)
        elif isinstance(variant, PromptVariant):
            _check_parameters(where, variant)
        else:
            kind = msgspec.to_builtins(variant)["kind"]
            raise DeclarationError(
                f"{where}: variants of kind {kind!r} cannot run yet", next_step="use kind rules or prompt"
            )


async def put(
    connection: Connection, ctx: Context, name: str, spec: FunctionSpec, sources: Mapping[str, bytes]
) -> Function:
    """The version in force with this declaration and code: the newest one where it says the same, else a new one.

    `sources` holds the source of each rules module; `spec.code` is made from it. Runs in the caller's transaction,
    with its audit event and the news to the gateway.

    Raises:
        DeclarationError: the declaration cannot work.
        CodeNotAllowedError: it brings rules code that is not captured yet, and the actor may not.
    """
    check(name, spec, sources)
    spec = with_code(spec, sources)
    before = await store.get(connection, ctx.project, name)
    if before is not None and before.hash == spec_hash(name, spec):
        return before
    new = _new_code(spec, before)
    if new and not await tenants.is_operator(connection, ctx):
        raise CodeNotAllowedError(
            f"functions.{name} brings rules code ({', '.join(new)}), which runs with the server's authority",
            next_step="have the server's operator apply it: on the machine itself, or as an owner in the organisation default",
        )
    for module in new:
        await asyncio.to_thread(ctx.blobs.put, sources[module])
    now_ns = ctx.clock.now_ns()
    function = Function(
        id=new_id("fn", now_ns),
        project=ctx.project,
        name=name,
        version=before.version + 1 if before else 1,
        hash=spec_hash(name, spec),
        spec=spec,
        created_ns=now_ns,
        created_by=ctx.actor.id,
    )
    await store.insert(connection, function)
    action = "functions.update" if before else "functions.create"
    await audit.record(
        connection, ctx, action=action, object_kind="function", object_id=function.id, before=before, after=function
    )
    await notify(connection, SNAPSHOT)
    return function


def with_code(spec: FunctionSpec, sources: Mapping[str, bytes]) -> FunctionSpec:
    """The spec with the hash of each module that its rules name."""
    modules = sorted({parse_reference(v.code).module for v in spec.variants.values() if isinstance(v, RulesVariant)})
    return msgspec.structs.replace(spec, code={module: bytes_hash(sources[module]) for module in modules})


def spec_hash(name: str, spec: FunctionSpec) -> str:
    """The content hash of a declaration with its code. Raises DeclarationError for a number that JSON cannot hold."""
    try:
        return content_hash(spec)
    except ValueError as error:
        raise DeclarationError(
            f"functions.{name}: {error}", next_step="write numbers within ±9007199254740991"
        ) from None


def _new_code(spec: FunctionSpec, before: Function | None) -> list[str]:
    """The modules whose bytes are not captured yet. Only the server's operator may bring such."""
    known = set(before.spec.code.values()) if before else set()
    return [module for module, hash_ in spec.code.items() if hash_ not in known]


def _check_code(where: str, variant: RulesVariant, sources: Mapping[str, bytes]) -> None:
    try:
        check_source(parse_reference(variant.code), sources)
    except DeclarationError as error:
        raise DeclarationError(f"{where}.code: {error.message}", next_step=error.next_step) from None


def _check_parameters(where: str, variant: PromptVariant) -> None:
    taken = {"model", "messages", "stream", "stream_options", "n"} & set(variant.parameters)
    if taken:
        raise DeclarationError(
            f"{where}.parameters sets {', '.join(sorted(taken))}, which flyball sets itself", next_step="remove it"
        )
