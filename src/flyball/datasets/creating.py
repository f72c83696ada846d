"""Making a dataset: a name under which versions will follow each other."""

import re

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.ids import new_id

from . import store
from .errors import DatasetNameError
from .records import Dataset, Declaration, Kind

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


async def create(
    connection: Connection, ctx: Context, name: str, kind: Kind, declaration: Declaration | None
) -> Dataset:
    """Make it, in the caller's transaction. Raises DatasetNameError."""
    if not _NAME.fullmatch(name):
        raise DatasetNameError(name)
    now_ns = ctx.clock.now_ns()
    dataset = Dataset(
        id=new_id("ds", now_ns),
        project=ctx.project,
        name=name,
        kind=kind,
        declaration=declaration,
        created_ns=now_ns,
        created_by=ctx.actor.id,
    )
    await store.insert(connection, dataset)
    await audit.record(
        connection, ctx, action="datasets.create", object_kind="dataset", object_id=dataset.id, after=dataset
    )
    return dataset
