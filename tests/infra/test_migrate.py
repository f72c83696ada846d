"""Migrations: from the oldest, once each, under a lock, refusing a changed past."""

import asyncio
from pathlib import Path

import pytest

from flyball.infra.db.database import Database, fetch_all
from flyball.infra.db.migrate import (
    DatabaseNewerError,
    MigrationChangedError,
    MigrationFailedError,
    list_migrations,
    migrate,
)


@pytest.fixture
async def empty(empty_database_url: str):
    database = Database(empty_database_url, most=4)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("create table first (id int); insert into first values (1);")
    (tmp_path / "0002_second.sql").write_text("create table second (id int);")
    return tmp_path


async def tables(database: Database) -> list[str]:
    async with database.connection() as connection:
        rows = await fetch_all(connection, "select tablename from pg_tables where schemaname = 'public' order by 1")
    return [row["tablename"] for row in rows]


async def test_files_are_applied_in_order_and_only_once(empty, folder):
    first = await migrate(empty, folder)
    second = await migrate(empty, folder)

    assert first == ["0001_first", "0002_second"]
    assert second == []
    assert await tables(empty) == ["first", "schema_migrations", "second"]


async def test_a_changed_file_is_refused_by_name(empty, folder):
    await migrate(empty, folder)
    (folder / "0001_first.sql").write_text("create table other (id int);")

    with pytest.raises(MigrationChangedError, match="0001_first"):
        await migrate(empty, folder)


async def test_a_database_of_a_newer_flyball_is_refused(empty, folder):
    await migrate(empty, folder)
    (folder / "0002_second.sql").unlink()

    with pytest.raises(DatabaseNewerError, match="0002_second"):
        await migrate(empty, folder)


async def test_a_file_that_fails_leaves_nothing_and_those_before_it_stay(empty, folder):
    (folder / "0003_third.sql").write_text("create table third (id int); select * from nowhere;")

    with pytest.raises(MigrationFailedError, match=r"0003_third.*nowhere"):
        await migrate(empty, folder)

    assert await tables(empty) == ["first", "schema_migrations", "second"]


async def test_two_migrators_at_once_apply_each_file_once(empty, empty_database_url, folder):
    (folder / "0003_slow.sql").write_text("select pg_sleep(0.3); create table slow (id int);")
    other = Database(empty_database_url, most=2)
    await other.open()

    one, two = await asyncio.gather(migrate(empty, folder), migrate(other, folder))

    await other.close()
    assert sorted([one, two], key=len) == [[], ["0001_first", "0002_second", "0003_slow"]]


def test_two_files_of_one_number_are_refused(folder):
    (folder / "0002_again.sql").write_text("select 1;")

    with pytest.raises(MigrationFailedError, match="0002_second"):
        list_migrations(folder)


@pytest.mark.parametrize("applied", range(len(list_migrations())))
async def test_every_older_state_reaches_the_newest(empty, tmp_path, applied):
    files = list_migrations()
    for file in files[:applied]:
        (tmp_path / f"{file.name}.sql").write_bytes(file.sql)

    await migrate(empty, tmp_path)
    rest = await migrate(empty)

    assert rest == [file.name for file in files[applied:]]
