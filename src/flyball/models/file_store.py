"""All SQL of files of weights: connection in, records out."""

import msgspec
from psycopg.types.json import Json

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .file_records import ModelFile


async def insert(connection: Connection, project: str, file: ModelFile) -> bool:
    """Write a file; False where the project has it already."""
    written = await execute(
        connection,
        """
        insert into model_files (project, hash, name, format, bytes, tensors, parameters, files, notes, created_ns, created_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (project, hash) do nothing
        """,
        project,
        file.hash,
        file.name,
        file.format,
        file.bytes,
        file.tensors,
        file.parameters,
        Json(msgspec.to_builtins(file.files)),
        Json(file.notes),
        file.created_ns,
        file.created_by,
    )
    return written == 1


async def get(connection: Connection, project: str, hash_: str) -> ModelFile | None:
    """The file of that hash."""
    row = await fetch_one(connection, "select * from model_files where project = %s and hash = %s", project, hash_)
    return _file(row) if row else None


async def newest(connection: Connection, project: str, before: tuple[int, str] | None, most: int) -> list[ModelFile]:
    """So many files, newest first, behind a given one."""
    before_ns, before_hash = before or (None, None)
    rows = await fetch_all(
        connection,
        """
        select * from model_files
        where project = %s and (%s::bigint is null or (created_ns, hash) < (%s::bigint, %s::text))
        order by created_ns desc, hash desc limit %s
        """,
        project,
        before_ns,
        before_ns,
        before_hash,
        most,
    )
    return [_file(row) for row in rows]


def _file(row: Row) -> ModelFile:
    return msgspec.convert(row, ModelFile)
