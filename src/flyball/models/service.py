"""The verbs of models: list, look up, and put a new version where the declaration differs."""

from collections.abc import Collection, Sequence

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.db.operators import is_operators
from flyball.infra.egress.address import target_of
from flyball.infra.egress.errors import AddressUnfitError
from flyball.infra.egress.networks import parse_networks, why_denied
from flyball.infra.events import SNAPSHOT, notify
from flyball.infra.secrets.references import parse
from flyball.kit.ids import new_id
from flyball.llm import catalog
from flyball.projects import tenants
from flyball.secrets import service as secrets

from . import endpoints, pricing, store
from .errors import EndpointNotAllowedError, ModelNotFoundError, ModelSpecError
from .pricing import NanoPrices, nano_prices
from .records import Endpoint, Model, ModelSpec, Provider


async def list_models(ctx: Context) -> tuple[Model, ...]:
    """The newest version of every model, by name."""
    async with ctx.db.connection() as connection:
        return await store.all_current(connection, ctx.project)


async def get_model(ctx: Context, name: str, version: int | None = None) -> Model:
    """The newest version, or the asked one. Raises ModelNotFoundError."""
    async with ctx.db.connection() as connection:
        model = await store.get(connection, ctx.project, name, version)
    if model is None:
        raise ModelNotFoundError(name if version is None else f"{name} version {version}")
    return model


async def list_versions(ctx: Context, name: str) -> tuple[Model, ...]:
    """Every version of a name, newest first. Raises ModelNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await store.versions(connection, ctx.project, name)
    if not found:
        raise ModelNotFoundError(name)
    return found


def list_providers() -> tuple[Provider, ...]:
    """The vendors that an endpoint may name, by name."""
    return tuple(
        Provider(
            name=found.name,
            title=found.title,
            dialects=tuple(found.dialects),
            needs=tuple(tuple(need.split("|")) for need in found.needs),
            base_url=found.base_url,
            key_variable=found.key_variable,
            docs=found.docs,
        )
        for found in map(catalog.vendor, catalog.names())
    )


def check(name: str, spec: ModelSpec) -> None:
    """Prove a declaration sound. Raises ModelSpecError."""
    endpoints.check(name, spec)
    try:
        pricing.cost(None, spec.prices)
    except ModelSpecError as error:
        raise ModelSpecError(f"models.{name}.{error.message}", next_step=error.next_step) from None


async def put(connection: Connection, ctx: Context, name: str, spec: ModelSpec) -> Model:
    """The version in force with this declaration: the newest one where it says the same, else a new one.

    Runs in the caller's transaction, with its audit event and the news to the gateway.

    Raises:
        ModelSpecError: the declaration cannot work.
        EndpointNotAllowedError: it sends somewhere new, or a key somewhere new, and the actor may not decide that.
    """
    check(name, spec)
    before = await store.get(connection, ctx.project, name)
    if before is not None and before.hash == spec.hash:
        return before
    if not await is_operators(connection, ctx.project):
        _refuse_inside(ctx, name, spec)
        if not await tenants.is_operator(connection, ctx):
            _refuse_the_operators(name, spec, await store.endpoints_of(connection, ctx.project))
    if "*" not in ctx.actor.permissions:
        _refuse_new_places(name, spec, await store.endpoints_of(connection, ctx.project))
    now_ns = ctx.clock.now_ns()
    model = Model(
        id=new_id("mdl", now_ns),
        project=ctx.project,
        name=name,
        version=before.version + 1 if before else 1,
        hash=spec.hash,
        spec=spec,
        created_ns=now_ns,
        created_by=ctx.actor.id,
    )
    await store.insert(connection, model)
    await secrets.note_uses(connection, ctx, name, endpoints.uses_of(spec))
    await audit.record(
        connection,
        ctx,
        action="models.update" if before else "models.create",
        object_kind="model",
        object_id=model.id,
        before=before,
        after=model,
    )
    await notify(connection, SNAPSHOT)
    return model


def _refuse_the_operators(name: str, spec: ModelSpec, declared: Collection[Endpoint]) -> None:
    """Variables, files, commands and Vault are the operator's: a tenant on the server has secrets of its own.

    What the operator declared for the tenant's project stays.
    """
    known = {(endpoints.address_of(endpoint), endpoints.references_of(endpoint)) for endpoint in declared}
    for number, endpoint in enumerate(spec.endpoints):
        used = (endpoint.base_url, *endpoints.references_of(endpoint))
        theirs = [text for text in used if (found := parse(text)) and found.kind != "secret"]
        if theirs and (endpoints.address_of(endpoint), endpoints.references_of(endpoint)) not in known:
            raise EndpointNotAllowedError(
                f"models.{name}.endpoints[{number}] refers to {', '.join(theirs)}, which is the server's, not this organisation's",
                next_step="keep a secret of your own with `flyball secrets set NAME` and write secret:NAME, "
                "or have the operator apply it on the machine itself",
            )


def _refuse_inside(ctx: Context, name: str, spec: ModelSpec) -> None:
    """Models of other organisations than the operator's answer at public addresses, or at those that the operator lists.

    Names are looked up, and what they lead to is held against the same networks, when they are called.
    """
    for number, endpoint in enumerate(spec.endpoints):
        address = endpoints.address_of(endpoint)
        if parse(address) is not None:
            continue
        place = f"models.{name}.endpoints[{number}] is at {address:.200}"
        try:
            target = target_of(address)
        except AddressUnfitError as error:
            raise EndpointNotAllowedError(f"{place}: {error.message}", next_step=error.next_step) from None
        why = why_denied(target.ip, parse_networks(ctx.settings.allowed_networks)) if target.ip else ""
        if why:
            raise EndpointNotAllowedError(
                f"{place}, which is {why}; a model of this organisation answers at a public address",
                next_step="give a public address, or have the operator list it in FLYBALL_ALLOWED_NETWORKS",
            )


def _refuse_new_places(name: str, spec: ModelSpec, declared: Collection[Endpoint]) -> None:
    """Where the server calls, and which of its secrets it sends there, is an owner's to decide.

    What is declared already, with that key or without any, may be used in other models.
    """
    known = {
        (endpoints.address_of(endpoint), keys)
        for endpoint in declared
        for keys in (endpoints.references_of(endpoint), ())
    }
    for number, endpoint in enumerate(spec.endpoints):
        address, keys = endpoints.address_of(endpoint), endpoints.references_of(endpoint)
        if (address, keys) not in known:
            key = f" with the key {', '.join(keys)}" if keys else ""
            raise EndpointNotAllowedError(
                f"models.{name}.endpoints[{number}] has the server call {address:.200}{key}, "
                "which no owner has declared",
                next_step="have an owner of the project apply it, or apply it on the machine itself",
            )


async def prices_by_version(connection: Connection, projects: Sequence[str]) -> dict[str, NanoPrices]:
    """What tokens cost, by the name under which calls keep their prices: of every version of every model of some projects."""
    found = [nano_prices(prices) for prices in await store.prices_of(connection, projects)]
    return {prices.version: prices for prices in found}
