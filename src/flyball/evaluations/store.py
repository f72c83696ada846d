"""All SQL of evaluations and their reports: connection in, records out."""

from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Evaluation
from .reports import Report, ReportLine


async def put(connection: Connection, evaluation: Evaluation) -> None:
    """Write a declaration, or the newer one of the same name."""
    await execute(
        connection,
        """
        insert into evaluations (project, name, hash, declaration, created_ns, updated_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (project, name) do update
        set hash = excluded.hash, declaration = excluded.declaration, updated_ns = excluded.updated_ns
        """,
        evaluation.project,
        evaluation.name,
        evaluation.hash,
        Jsonb(msgspec.to_builtins(evaluation.spec)),
        evaluation.created_ns,
        evaluation.updated_ns,
        evaluation.created_by,
    )


async def get(connection: Connection, project: str, name: str) -> Evaluation | None:
    """The evaluation of that name."""
    row = await fetch_one(connection, "select * from evaluations where project = %s and name = %s", project, name)
    return _evaluation(row) if row else None


async def all_evaluations(connection: Connection, project: str) -> tuple[Evaluation, ...]:
    """Every evaluation of the project, by name."""
    rows = await fetch_all(connection, "select * from evaluations where project = %s order by name", project)
    return tuple(_evaluation(row) for row in rows)


async def insert_report(connection: Connection, report: Report) -> bool:
    """Write a report; False where this run has written one before."""
    touched = await execute(
        connection,
        """
        insert into evaluation_reports (id, project, evaluation, run_id, hash, function, dataset, dataset_version_id,
                                        verdict, winner, body, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (project, run_id) do nothing
        """,
        report.id,
        report.project,
        report.evaluation,
        report.run_id,
        report.hash,
        report.function.name,
        report.dataset.name,
        report.dataset.version_id,
        report.findings.verdict,
        report.findings.winner,
        Jsonb(msgspec.to_builtins(report)),
        report.created_ns,
        report.created_by,
    )
    return touched == 1


async def get_report(connection: Connection, project: str, id_: str) -> Report | None:
    """The report with that id."""
    row = await fetch_one(
        connection, "select body from evaluation_reports where project = %s and id = %s", project, id_
    )
    return msgspec.convert(row["body"], Report) if row else None


async def report_of_run(connection: Connection, project: str, run_id: str) -> Report | None:
    """The report that a run wrote."""
    row = await fetch_one(
        connection, "select body from evaluation_reports where project = %s and run_id = %s", project, run_id
    )
    return msgspec.convert(row["body"], Report) if row else None


async def report_lines(
    connection: Connection, project: str, *, evaluation: str | None, before: tuple[int, str] | None, most: int
) -> tuple[ReportLine, ...]:
    """Reports, newest first; of one evaluation where asked; those after the sort key `before`."""
    before_ns, before_id = before or (None, None)
    rows = await fetch_all(
        connection,
        """
        select id, evaluation, hash, function, dataset, (body -> 'dataset' ->> 'version')::integer as dataset_version,
               dataset_version_id, verdict, winner, run_id, created_ns, created_by
        from evaluation_reports
        where project = %s and evaluation = coalesce(%s::text, evaluation)
          and (%s::bigint is null or (created_ns, id) < (%s::bigint, %s::text))
        order by created_ns desc, id desc limit %s
        """,
        project,
        evaluation,
        before_ns,
        before_ns,
        before_id,
        most,
    )
    return msgspec.convert(rows, tuple[ReportLine, ...])


def _evaluation(row: Row) -> Evaluation:
    fields: dict[str, Any] = {**row, "spec": row["declaration"]}
    return msgspec.convert(fields, Evaluation)
