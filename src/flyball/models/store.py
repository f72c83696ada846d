"""All SQL of models: connection in, records out."""

from collections.abc import Sequence

import msgspec
from psycopg.types.json import Json

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Endpoint, Model, Prices


async def insert(connection: Connection, model: Model) -> None:
    """Write one version."""
    await execute(
        connection,
        """
        insert into model_versions (id, project, name, version, hash, spec, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        model.id,
        model.project,
        model.name,
        model.version,
        model.hash,
        Json(msgspec.to_builtins(model.spec)),
        model.created_ns,
        model.created_by,
    )


async def get(connection: Connection, project: str, name: str, version: int | None = None) -> Model | None:
    """The newest version of a name, or the asked one."""
    row = await fetch_one(
        connection,
        """
        select * from model_versions
        where project = %s and name = %s and version = coalesce(%s::integer, version)
        order by version desc limit 1
        """,
        project,
        name,
        version,
    )
    return _model(row) if row else None


async def all_current(connection: Connection, project: str | None = None) -> tuple[Model, ...]:
    """The newest version of every name, by name; of every project unless one is given."""
    rows = await fetch_all(
        connection,
        """
        select distinct on (project, name) * from model_versions
        where project = coalesce(%s::text, project) order by project, name, version desc
        """,
        project,
    )
    return tuple(_model(row) for row in rows)


async def versions(connection: Connection, project: str, name: str) -> tuple[Model, ...]:
    """Every version of a name, newest first."""
    rows = await fetch_all(
        connection, "select * from model_versions where project = %s and name = %s order by version desc", project, name
    )
    return tuple(_model(row) for row in rows)


async def endpoints_of(connection: Connection, project: str) -> tuple[Endpoint, ...]:
    """Every endpoint that any version of any model of a project has."""
    rows = await fetch_all(
        connection,
        "select distinct endpoint::text from model_versions, json_array_elements(spec -> 'endpoints') as endpoint "
        "where project = %s",
        project,
    )
    return tuple(msgspec.json.decode(row["endpoint"], type=Endpoint) for row in rows)


def _model(row: Row) -> Model:
    return msgspec.convert(row, Model)


async def prices_of(connection: Connection, projects: Sequence[str]) -> list[Prices]:
    """The prices that any version of any model of some projects has."""
    rows = await fetch_all(
        connection,
        """
        select distinct (spec -> 'prices')::jsonb as prices from model_versions
        where project = any(%s) and json_typeof(spec -> 'prices') = 'object'
        """,
        list(projects),
    )
    return [msgspec.convert(row["prices"], Prices) for row in rows]
