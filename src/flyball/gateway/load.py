"""Reads what projects' callers may name from PostgreSQL, all of it at one moment. This file and `load_keys` alone ask stores."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from flyball.functions import store as function_store
from flyball.functions.fields import single_text_field
from flyball.functions.records import Function, LiveRelease, PinnedVariant
from flyball.infra.db.database import Database, execute
from flyball.infra.db.operators import DEFAULT_ORGANISATION
from flyball.infra.secrets.keyring import Keyring
from flyball.infra.secrets.references import Found, LookUp, Missing
from flyball.infra.secrets.safe import Sealed
from flyball.ledger import quota_store
from flyball.ledger.covering import by_scope
from flyball.models import endpoints
from flyball.models import store as model_store
from flyball.models.errors import ModelNotConfiguredError
from flyball.models.records import Model
from flyball.projects import store as project_store
from flyball.secrets import store as secret_store

from .snapshot import KnownFunction, KnownModel, KnownProject


async def load_projects(database: Database, keyring: Keyring) -> Mapping[str, KnownProject]:
    """What is in force now; secrets that come from elsewhere are waited for but shortly. Raises DatabaseAwayError."""
    async with database.transaction() as connection:
        await execute(connection, "set transaction isolation level repeatable read, read only")
        models = await model_store.all_current(connection)
        functions = await function_store.all_current(connection)
        live = {(release.project, release.function): release for release in await function_store.all_live(connection)}
        variants = await function_store.live_variants(connection)
        operators = await project_store.projects_in(connection, DEFAULT_ORGANISATION)
        sealed = await secret_store.sealed_of_all(connection)
        quotas = await quota_store.every(connection)
        organisations = await project_store.organisations(connection)
    look_ups = await _look_ups(keyring, models, sealed)
    known_models: dict[str, dict[str, KnownModel]] = defaultdict(dict)
    for model in models:
        known_models[model.project][model.name] = _model(
            model, look_ups[model.project], guarded=model.project not in operators
        )
    known_functions: dict[str, dict[str, KnownFunction]] = defaultdict(dict)
    for function in functions:
        release = live.get((function.project, function.name))
        known_functions[function.project][function.name] = _function(
            function, release, variants, guarded=function.project not in operators
        )
    return {
        project: KnownProject(
            models=MappingProxyType(known_models[project]),
            functions=MappingProxyType(known_functions[project]),
            organisation=organisations.get(project, ""),
            quotas=by_scope(quotas, project, organisations.get(project, "")),
        )
        for project in {*known_models, *known_functions}
    }


async def _look_ups(keyring: Keyring, models: Iterable[Model], sealed: Iterable[Sealed]) -> dict[str, LookUp]:
    """What the references of each project's models stand for in this process."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for model in models:
        wanted[model.project] |= endpoints.references_in(model.spec)
    opened = await keyring.safe.open_all(sealed)
    stored: dict[str, dict[str, Found | Missing]] = defaultdict(dict)
    for (project, name), found in opened.items():
        stored[project][name] = found
    found_all = await asyncio.gather(
        *(keyring.look_up(texts, stored=stored[project]) for project, texts in wanted.items())
    )
    return dict(zip(wanted, found_all, strict=True))


def _model(model: Model, look_up: LookUp, *, guarded: bool) -> KnownModel:
    try:
        resolved, reason = endpoints.resolve(model.name, model.spec, look_up, guarded=guarded), ""
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
    function: Function,
    live: LiveRelease | None,
    variants: dict[tuple[str, str], PinnedVariant],
    *,
    guarded: bool,
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
        guarded=guarded,
    )
