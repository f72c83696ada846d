"""The verbs of datasets: declare, import, add a row, look.

The work of an import is in `importing`, done by the job `datasets.import`.
"""

from pathlib import Path

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.projects import tenants
from flyball.runs import service as runs
from flyball.runs.records import Run

from . import store
from .creating import create
from .errors import (
    CapturedBytesError,
    DatasetKindError,
    LocalPathError,
    NotDeclaredError,
    SourceNotFoundError,
)
from .growing import add_row_from_trace
from .reading import (
    Overview,
    get_dataset,
    get_row,
    get_version,
    get_version_by_id,
    list_datasets,
    list_versions,
    read_rows,
    rows,
)
from .records import Dataset, DatasetVersion, Declaration

__all__ = [
    "Overview",
    "add_row_from_trace",
    "declare",
    "get_dataset",
    "get_row",
    "get_version",
    "get_version_by_id",
    "import_later",
    "list_datasets",
    "list_versions",
    "read_rows",
    "record_reading",
    "rows",
]


async def declare(connection: Connection, ctx: Context, name: str, declaration: Declaration) -> Dataset:
    """The dataset of that name with this declaration, made or changed where it differs; in the caller's transaction.

    Raises:
        DatasetNameError: the name cannot be used in addresses.
        DatasetKindError: it holds the other kind.
        LocalPathError: the caller may not have files of this machine read.
    """
    await _permit(connection, ctx, declaration)
    before = await store.get(connection, ctx.project, name)
    if before is None:
        return await create(connection, ctx, name, declaration.kind, declaration)
    if before.kind != declaration.kind:
        raise DatasetKindError(name, before.kind, declaration.kind)
    if before.declaration == declaration:
        return before
    await store.update_declaration(connection, before, declaration)
    after = await store.get(connection, ctx.project, name)
    assert after is not None  # noqa: S101 -- it was there a statement ago, in this transaction
    await audit.record(
        connection,
        ctx,
        action="datasets.declare",
        object_kind="dataset",
        object_id=before.id,
        before=before,
        after=after,
    )
    return after


async def import_later(ctx: Context, name: str, declaration: Declaration | None = None) -> Run:
    """Queue an import of what is given, or of what the dataset declares; makes the dataset where there is none.

    Raises:
        DatasetNameError, DatasetKindError, LocalPathError: as in `declare`.
        NotDeclaredError: nothing is given and nothing declared.
        CapturedBytesError: captured bytes that are not those which the dataset is declared with.
        SourceNotFoundError: a path that is not absolute.
    """
    if declaration is not None:
        _check_location(declaration)
    async with ctx.db.transaction() as connection:
        if declaration is not None:
            await _permit(connection, ctx, declaration)
        dataset = await store.get(connection, ctx.project, name)
        chosen = declaration or (dataset.declaration if dataset else None)
        if chosen is None:
            raise NotDeclaredError(name)
        declared = dataset.declaration.location if dataset and dataset.declaration else ""
        if chosen.location.startswith("blob:") and chosen.location != declared:
            raise CapturedBytesError(name, chosen.location)
        if dataset is None:
            dataset = await create(connection, ctx, name, chosen.kind, chosen)
        if dataset.kind != chosen.kind:
            raise DatasetKindError(name, dataset.kind, chosen.kind)
        run = await runs.enqueue(
            connection, ctx, "datasets.import", {"dataset": name, "source": msgspec.to_builtins(chosen)}
        )
        await audit.record(
            connection,
            ctx,
            action="datasets.import",
            object_kind="dataset",
            object_id=dataset.id,
            object_name=name,
            after={"run": run.id, "source": chosen},
        )
    return run


async def record_reading(ctx: Context, version: DatasetVersion) -> None:
    """Note in the audit record that the actor reads rows of a version: once an hour."""
    await audit.record_read(
        ctx,
        action="datasets.read_rows",
        object_kind="dataset_version",
        object_id=version.id,
        object_name=version.title,
    )


async def _permit(connection: Connection, ctx: Context, declaration: Declaration) -> None:
    """Reading the machine's files is for the server's operator."""
    reads_files = declaration.source != "stdlib" and not declaration.location.startswith("blob:")
    if reads_files and not await tenants.is_operator(connection, ctx):
        raise LocalPathError(declaration.location)


def _check_location(declaration: Declaration) -> None:
    location = declaration.location
    if declaration.source != "stdlib" and not location.startswith("blob:") and not Path(location).is_absolute():
        raise SourceNotFoundError(
            f"{location!r} is not an absolute path", next_step="give the whole path, as flyball's machine knows it"
        )
