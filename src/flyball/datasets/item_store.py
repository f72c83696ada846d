"""All SQL of items, abouts and experiments: connection in, records out."""

from typing import Any

import msgspec
from psycopg.types.json import Json

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one

from .item_records import About, Experiment, ExperimentItem, Item


async def put_about(connection: Connection, project: str, dataset_id: str, about: About) -> None:
    """What is said of a dataset now."""
    await execute(
        connection,
        """
        insert into dataset_abouts (project, dataset_id, title, description, metadata, input_schema, expected_schema, updated_ns)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (project, dataset_id) do update set
            title = excluded.title, description = excluded.description, metadata = excluded.metadata,
            input_schema = excluded.input_schema, expected_schema = excluded.expected_schema, updated_ns = excluded.updated_ns
        """,
        project,
        dataset_id,
        about.title,
        about.description,
        Json(about.metadata),
        Json(about.input_schema),
        Json(about.expected_schema),
        about.updated_ns,
    )


async def abouts(connection: Connection, project: str) -> dict[str, About]:
    """What is said of datasets, by their ids."""
    rows = await fetch_all(connection, "select * from dataset_abouts where project = %s", project)
    return {row["dataset_id"]: msgspec.convert(row, About) for row in rows}


async def get_item(connection: Connection, project: str, item_id: str, *, locked: bool = False) -> Item | None:
    """The item as it is now; held until the transaction ends where that is asked."""
    query = "select * from dataset_items where project = %s and item_id = %s and until_ns is null"
    locking = "select * from dataset_items where project = %s and item_id = %s and until_ns is null for update"
    row = await fetch_one(connection, locking if locked else query, project, item_id)
    return msgspec.convert(row, Item) if row else None


async def end_item(connection: Connection, project: str, item_id: str, until_ns: int) -> None:
    """The item was so until then."""
    await execute(
        connection,
        "update dataset_items set until_ns = %s where project = %s and item_id = %s and until_ns is null",
        until_ns,
        project,
        item_id,
    )


async def insert_item(connection: Connection, project: str, item: Item) -> None:
    """The item as it is from now on."""
    await execute(
        connection,
        """
        insert into dataset_items (project, item_id, dataset_id, dataset, since_ns, created_ns, created_by, status,
                                   input, expected_output, metadata, source_trace_id, source_span_id)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        project,
        item.item_id,
        item.dataset_id,
        item.dataset,
        item.since_ns,
        item.created_ns,
        item.created_by,
        item.status,
        Json(item.input),
        Json(item.expected_output),
        Json(item.metadata),
        item.source_trace_id,
        item.source_span_id,
    )


async def items(
    connection: Connection, project: str, wanted: dict[str, Any], *, skipped: int = 0, most: int
) -> tuple[Item, ...]:
    """The items at a moment, the newest first; `wanted` names dataset_id, trace_id, span_id ("": any) and at_ns."""
    rows = await fetch_all(
        connection,
        """
        select * from dataset_items
        where project = %s and %s in ('', dataset_id) and %s in ('', source_trace_id) and %s in ('', source_span_id)
            and since_ns <= %s and (until_ns is null or until_ns > %s)
        order by created_ns desc, item_id limit %s offset %s
        """,
        project,
        wanted["dataset_id"],
        wanted["trace_id"],
        wanted["span_id"],
        wanted["at_ns"],
        wanted["at_ns"],
        most,
        skipped,
    )
    return msgspec.convert(rows, tuple[Item, ...])


async def count_items(connection: Connection, project: str, wanted: dict[str, Any]) -> int:
    """How many there are of those."""
    row = await fetch_one(
        connection,
        """
        select count(*) as items from dataset_items
        where project = %s and %s in ('', dataset_id) and %s in ('', source_trace_id) and %s in ('', source_span_id)
            and since_ns <= %s and (until_ns is null or until_ns > %s)
        """,
        project,
        wanted["dataset_id"],
        wanted["trace_id"],
        wanted["span_id"],
        wanted["at_ns"],
        wanted["at_ns"],
    )
    return int(row["items"]) if row else 0


async def put_experiment(connection: Connection, project: str, experiment: Experiment) -> None:
    """Write an experiment, or what is said of it now."""
    await execute(
        connection,
        """
        insert into experiments (project, id, dataset_id, name, created_ns, updated_ns, created_by, description, metadata)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (project, dataset_id, id) do update
        set description = excluded.description, metadata = excluded.metadata, updated_ns = excluded.updated_ns
        """,
        project,
        *msgspec.structs.astuple(experiment)[:-1],
        Json(experiment.metadata),
    )


async def experiments(connection: Connection, project: str, dataset_id: str) -> tuple[Experiment, ...]:
    """A dataset's experiments, newest first."""
    rows = await fetch_all(
        connection,
        "select * from experiments where project = %s and dataset_id = %s order by created_ns desc, id",
        project,
        dataset_id,
    )
    return msgspec.convert(rows, tuple[Experiment, ...])


async def remove_experiment(connection: Connection, project: str, dataset_id: str, id_: str) -> None:
    """Forget an experiment and which traces belong to it; the traces stay."""
    await execute(
        connection,
        "delete from experiments where project = %s and dataset_id = %s and id = %s",
        project,
        dataset_id,
        id_,
    )


async def insert_experiment_item(connection: Connection, project: str, dataset_id: str, item: ExperimentItem) -> None:
    """Write which trace was made of which item; once."""
    await execute(
        connection,
        """
        insert into experiment_items (project, dataset_id, id, experiment_id, item_id, trace_id, created_ns, span_id)
        values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
        """,
        project,
        dataset_id,
        *msgspec.structs.astuple(item),
    )


async def experiment_items(
    connection: Connection, project: str, dataset_id: str, experiment_id: str
) -> tuple[ExperimentItem, ...]:
    """What belongs to an experiment, newest first."""
    rows = await fetch_all(
        connection,
        """
        select * from experiment_items where project = %s and dataset_id = %s and experiment_id = %s
        order by created_ns desc, id
        """,
        project,
        dataset_id,
        experiment_id,
    )
    return msgspec.convert(rows, tuple[ExperimentItem, ...])
