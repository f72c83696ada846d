"""All SQL of score configs: connection in, records out."""

import msgspec
from psycopg.types.json import Json

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one

from .score_config_records import ScoreConfig


async def put(connection: Connection, config: ScoreConfig) -> None:
    """Write a config, or what became of it."""
    values = [
        Json(msgspec.to_builtins(value)) if name == "categories" and value is not None else value
        for name, value in zip(ScoreConfig.__struct_fields__, msgspec.structs.astuple(config), strict=True)
    ]
    await execute(
        connection,
        """
        insert into score_configs (id, project, name, data_type, created_ns, updated_ns, created_by, min_value, max_value,
                                   categories, description, archived)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (project, id) do update set
            name = excluded.name, updated_ns = excluded.updated_ns, min_value = excluded.min_value,
            max_value = excluded.max_value, categories = excluded.categories, description = excluded.description,
            archived = excluded.archived
        """,
        *values,
    )


async def get(connection: Connection, project: str, id_: str) -> ScoreConfig | None:
    """The config with that id."""
    row = await fetch_one(connection, "select * from score_configs where project = %s and id = %s", project, id_)
    return msgspec.convert(row, ScoreConfig) if row else None


async def all_configs(connection: Connection, project: str) -> tuple[ScoreConfig, ...]:
    """Every config of the project, newest first."""
    rows = await fetch_all(
        connection, "select * from score_configs where project = %s order by created_ns desc, id desc", project
    )
    return msgspec.convert(rows, tuple[ScoreConfig, ...])
