"""Putting a version into force: one transaction that gives it the next number and says so in the audit record."""

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context

from . import store
from .errors import DatasetNotFoundError
from .records import DatasetVersion


async def publish(
    ctx: Context, version: DatasetVersion, *, after: DatasetVersion | None = None
) -> DatasetVersion | None:
    """The version under the dataset's next number. Published again under the same id, it is the one that is there.

    Where the newest version has this very content (two imports of one source at once), it is that one.
    With `after`, only where that is still the newest version; None where another one came between.
    """
    async with ctx.db.transaction() as connection:
        dataset = await store.get_locked(connection, ctx.project, version.dataset)
        if dataset is None:
            raise DatasetNotFoundError(version.dataset)
        known = await store.get_version_by_id(connection, ctx.project, version.id)
        if known is not None:
            return known
        newest = await store.get_version(connection, ctx.project, version.dataset)
        if after is not None and (newest is None or newest.id != after.id):
            return None
        if newest is not None and newest.hash == version.hash:
            return newest
        numbered = msgspec.structs.replace(version, version=newest.version + 1 if newest else 1)
        await store.insert_version(connection, numbered)
        await audit.record(
            connection,
            ctx,
            action="datasets.publish",
            object_kind="dataset_version",
            object_id=numbered.id,
            object_name=numbered.title,
            before=newest,
            after=numbered,
        )
    return numbered
