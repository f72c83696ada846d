"""Keys that were rotated before there were lines are one line each, whatever their order."""

from flyball.infra.db.database import Database, execute, fetch_all
from flyball.infra.db.migrate import MIGRATIONS, migrate

BEFORE = "0024"
INSERT = """
    insert into keys (id, project, name, name_key, prefix, hash, role, permissions, created_by, created_ns, replaces, replaced_ns, kind)
    values (%s, 'default', %s, %s, 'p', %s, 'application', '{}', 'local:0', 1, %s, 1, 'service')
"""


async def test_keys_of_before_get_the_line_of_the_first_that_they_replace(empty_database_url, tmp_path):
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < BEFORE:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    database = Database(empty_database_url, most=2)
    await database.open()
    await migrate(database, tmp_path)
    async with database.owner_connection() as connection, connection.transaction():
        for id_, replaces in (("z", None), ("m", "z"), ("a", "m"), ("alone", None)):
            await execute(connection, INSERT, id_, id_, id_, id_.encode(), replaces)

    await migrate(database)

    async with database.connection() as connection:
        rows = await fetch_all(connection, "select id, line from keys order by id")
    await database.close()
    assert {row["id"]: row["line"] for row in rows} == {"z": "z", "m": "z", "a": "z", "alone": "alone"}
