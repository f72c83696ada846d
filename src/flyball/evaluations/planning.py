"""Making a plan: pin the function's variants as they are now, find the dataset version, see what can run."""

from flyball.datasets import store as datasets
from flyball.datasets.errors import DatasetNotFoundError, DatasetVersionNotFoundError
from flyball.datasets.records import DatasetVersion
from flyball.functions import FunctionNotFoundError, PinnedVariant
from flyball.functions import store as functions
from flyball.functions.pinning import pin_variants
from flyball.infra.context import Context
from flyball.infra.db.database import Connection

from . import store
from .errors import BaselineUnavailableError, EvaluationNotFoundError, EvaluationSpecError, NothingToEvaluateError
from .plans import Plan
from .records import Evaluation
from .reports import DatasetRef, FunctionRef, VariantRef


async def make(
    ctx: Context, name: str, dataset_version: int | None, started_by: str, *, continues: tuple[str, ...] = ()
) -> Plan:
    """The plan of a run that starts now.

    Raises:
        EvaluationNotFoundError, FunctionNotFoundError, DatasetNotFoundError, DatasetVersionNotFoundError: what is named
            does not exist.
        NothingToEvaluateError: the dataset version has no rows.
        BaselineUnavailableError: the baseline cannot run here now.
    """
    async with ctx.db.transaction() as connection:
        evaluation = await store.get(connection, ctx.project, name)
        if evaluation is None:
            raise EvaluationNotFoundError(name)
        function = await functions.get(connection, ctx.project, evaluation.spec.function)
        if function is None:
            raise FunctionNotFoundError(evaluation.spec.function)
        version = await find_version(connection, ctx, evaluation, dataset_version)
        pinned = await pin_variants(connection, ctx, function)
    return Plan(
        evaluation=name,
        spec=evaluation.spec,
        spec_hash=evaluation.hash,
        function=FunctionRef(name=function.name, version=function.version, hash=function.hash),
        dataset=DatasetRef(name=version.dataset, version=version.version, version_id=version.id, hash=version.hash),
        items=version.rows,
        variants=chosen(evaluation, pinned),
        started_by=started_by,
        continues=continues,
    )


async def find_version(
    connection: Connection, ctx: Context, evaluation: Evaluation, dataset_version: int | None
) -> DatasetVersion:
    """The dataset version that the evaluation asks: the newest one unless one is named."""
    dataset = evaluation.spec.dataset
    version = await datasets.get_version(connection, ctx.project, dataset, dataset_version)
    if version is None:
        if await datasets.get(connection, ctx.project, dataset) is None:
            raise DatasetNotFoundError(dataset)
        raise DatasetVersionNotFoundError(dataset, dataset_version)
    if version.rows == 0:
        raise NothingToEvaluateError(
            f"version {version.version} of the dataset {dataset!r} has no rows",
            next_step="import some with `flyball datasets import`, or name another with --dataset-version",
        )
    return version


def chosen(evaluation: Evaluation, pinned: tuple[PinnedVariant, ...]) -> tuple[VariantRef, ...]:
    """The variants that the evaluation compares, the baseline first, those that cannot run with their reason."""
    spec = evaluation.spec
    by_name = {variant.name: variant for variant in pinned}
    wanted = dict.fromkeys((spec.baseline, *(spec.variants or by_name)))
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        raise EvaluationSpecError(
            f"evaluation {evaluation.name!r} names the variant {unknown[0]!r}, which the function {spec.function!r} lacks",
            next_step=f"name one of: {', '.join(sorted(by_name))}",
        )
    refs = tuple(
        VariantRef(
            name=name,
            kind=by_name[name].kind,
            hash=by_name[name].hash,
            skipped="" if by_name[name].available else by_name[name].unavailable_reason,
        )
        for name in wanted
    )
    if refs[0].skipped:
        raise BaselineUnavailableError(
            f"the baseline {spec.baseline!r} of evaluation {evaluation.name!r} cannot run: {refs[0].skipped}",
            next_step="make it available, or declare another baseline",
        )
    return refs
