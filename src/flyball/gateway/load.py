"""Reads a snapshot from PostgreSQL, all of it at one moment. The only file of this room that asks stores."""

from collections import defaultdict
from types import MappingProxyType

from flyball.functions import store as function_store
from flyball.functions.fields import single_text_field
from flyball.functions.records import Function, LiveRelease, PinnedVariant
from flyball.infra.db.database import Database, execute
from flyball.models import endpoints
from flyball.models import store as model_store
from flyball.models.errors import ModelNotConfiguredError
from flyball.models.records import Model
from flyball.projects import key_store

from .snapshot import KnownFunction, KnownModel, KnownProject, Snapshot


async def load_snapshot(database: Database, *, epoch: int) -> Snapshot:
    """What is in force now. Raises DatabaseAwayError."""
    async with database.transaction() as connection:
        await execute(connection, "set transaction isolation level repeatable read, read only")
        keys = await key_store.active_keys(connection)
        models = await model_store.all_current(connection)
        functions = await function_store.all_current(connection)
        live = {(release.project, release.function): release for release in await function_store.all_live(connection)}
        variants = await function_store.live_variants(connection)
    known_models: dict[str, dict[str, KnownModel]] = defaultdict(dict)
    for model in models:
        known_models[model.project][model.name] = _model(model)
    known_functions: dict[str, dict[str, KnownFunction]] = defaultdict(dict)
    for function in functions:
        release = live.get((function.project, function.name))
        known_functions[function.project][function.name] = _function(function, release, variants)
    return Snapshot(
        epoch=epoch,
        keys=MappingProxyType({key.hash: key for key in keys}),
        projects={
            project: KnownProject(
                models=MappingProxyType(known_models[project]), functions=MappingProxyType(known_functions[project])
            )
            for project in {*known_models, *known_functions}
        },
    )


def _model(model: Model) -> KnownModel:
    try:
        resolved, reason = endpoints.resolve(model.name, model.spec), ""
    except ModelNotConfiguredError as error:
        resolved, reason = (), error.message
    return KnownModel(
        name=model.name,
        version=model.version,
        hash=model.hash,
        endpoints=resolved,
        prices=model.spec.prices,
        reason=reason,
        created_ns=model.created_ns,
    )


def _function(
    function: Function, live: LiveRelease | None, variants: dict[tuple[str, str], PinnedVariant]
) -> KnownFunction:
    serving = {hash_: variants[function.project, hash_] for hash_, _ in live.shares} if live else {}
    # What is live was pinned with the input schema of its time, which is the one that counts for its callers.
    schema = next(iter(serving.values())).spec["input"] if serving else function.spec.input
    return KnownFunction(
        name=function.name,
        input=schema,
        text_field=single_text_field(schema),
        live=live,
        variants=MappingProxyType(serving),
        created_ns=function.created_ns,
    )
