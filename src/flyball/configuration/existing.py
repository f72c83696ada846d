"""What a project has now of everything that a configuration speaks of, read in one go."""

from typing import NamedTuple

from flyball.datasets import store as datasets
from flyball.datasets.records import Dataset
from flyball.evaluations import store as evaluations
from flyball.evaluations.records import Evaluation
from flyball.functions import store as functions
from flyball.functions.records import Function
from flyball.indexes import store as indexes
from flyball.indexes.records import Index
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.ledger.declared import KnownQuota
from flyball.models import store as models
from flyball.models.records import Model
from flyball.prompts import store as prompts
from flyball.prompts.records import Prompt

from . import quotas
from .quotas import QuotaKey


class Existing(NamedTuple):
    """By name; budgets and limits by what they are of."""

    models: dict[str, Model]
    prompts: dict[str, Prompt]
    functions: dict[str, Function]
    datasets: dict[str, Dataset]
    indexes: dict[str, Index]
    evaluations: dict[str, Evaluation]
    budgets: dict[QuotaKey, KnownQuota]
    limits: dict[QuotaKey, KnownQuota]


async def read(connection: Connection, ctx: Context) -> Existing:
    """Everything of the context's project."""
    project = ctx.project
    caps = await quotas.present(connection, ctx)
    return Existing(
        models={model.name: model for model in await models.all_current(connection, project)},
        prompts={prompt.name: prompt for prompt in await prompts.all_current(connection, project)},
        functions={function.name: function for function in await functions.all_current(connection, project)},
        datasets={dataset.name: dataset for dataset in await datasets.all_datasets(connection, project)},
        indexes={index.name: index for index in await indexes.all_indexes(connection, project)},
        evaluations={one.name: one for one in await evaluations.all_evaluations(connection, project)},
        budgets={key: one for key, one in caps.items() if quotas.kind_of(key) == "budget"},
        limits={key: one for key, one in caps.items() if quotas.kind_of(key) == "limit"},
    )
