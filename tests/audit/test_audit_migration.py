"""The one chain of before becomes that of the project default, unchanged to the byte, and verifies."""

from dataclasses import replace
from pathlib import Path

import msgspec
import rfc8785

from flyball.audit import chain, service
from flyball.audit.records import Event
from flyball.audit.sealing import seal
from flyball.audit.verifying import verify
from flyball.infra.context import Context
from flyball.infra.db.database import Database, execute, fetch_all
from flyball.infra.db.migrate import MIGRATIONS, list_migrations, migrate

BEFORE = "0015"
ODD = 'quote " backslash \\ slash / tab \t line \n bell \b feed \f escape \x1f delete \x7f umlaut ü snow ☃ sky 𝄞 line \u2028'
COLUMNS = (
    "seq, project, at_ns, mono_ns, boot_id, actor_id, actor_kind, actor_name, action, object_kind, object_id, "
    "before, after, request_id, hash"
)


def folder_of(folder: Path, *, up_to: str) -> Path:
    """The migrations below a number."""
    folder.mkdir()
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < up_to:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def old_hash(previous: bytes, event: Event) -> bytes:
    """An event's hash as it was computed before: a general encoder of RFC 8785, no method of authentication and no name."""
    fields = msgspec.structs.asdict(event)
    del fields["hash"], fields["auth_method"], fields["object_name"]
    return chain.sha256(
        previous + rfc8785.dumps(fields | {"at_ns": str(event.at_ns), "mono_ns": str(event.mono_ns)})
    ).digest()


async def append_as_before(database: Database, many: int) -> list[Event]:
    """Events in the one chain, as the release before wrote them."""
    events, previous = [], chain.FIRST
    async with database.owner_connection() as connection, connection.transaction():
        for seq in range(1, many + 1):
            event = Event(
                seq=seq, project="default", at_ns=1_700_000_000_000_000_000 + seq, mono_ns=2**62 + seq, boot_id="b",
                actor_id="local:0", actor_kind="local", actor_name=ODD if seq % 3 else "", action="keys.create",
                object_kind="key", object_id=f"{ODD}{seq}", before=None if seq % 2 else "0" * 64, after="f" * 64, request_id=ODD,
            )  # fmt: skip
            previous = old_hash(previous, event)
            values = [getattr(event, name) for name in COLUMNS.split(", ")[:-1]]
            await execute(
                connection, f"insert into audit_events ({COLUMNS}) values ({', '.join(['%s'] * 15)})", *values, previous
            )
            await execute(connection, "insert into audit_salts (seq, salt) values (%s, %s)", seq, b"salt")
            events.append(msgspec.structs.replace(event, hash=previous.hex()))
        await execute(connection, "update audit_head set seq = %s, hash = %s", many, previous)
    return events


async def test_the_chain_of_before_is_carried_over_and_goes_on(empty_database_url, ctx, tmp_path):
    database = Database(empty_database_url, most=3)
    await database.open()
    try:
        await migrate(database, folder_of(tmp_path / "m", up_to=BEFORE))
        events = await append_as_before(database, 30)

        await migrate(database)

        mine = replace(ctx, db=database)
        assert list(reversed((await service.list_events(mine, limit=100)).items)) == events
        async with mine.db.connection() as connection:
            salts = await fetch_all(connection, "select project, seq from audit_salts order by seq")
        assert [(row["project"], row["seq"]) for row in salts] == [("default", seq) for seq in range(1, 31)]
        assert (await verify(mine)).events == 30
        await record_one(mine)
        await seal(mine)
        found = await verify(mine)
        assert found.ok, found.finding
        assert (found.events, found.signed_up_to) == (31, 31)
    finally:
        await database.close()


async def record_one(ctx: Context) -> None:
    async with ctx.db.transaction() as connection:
        await service.record(connection, ctx, action="keys.create", object_kind="key", object_id="new")


async def test_an_empty_record_is_carried_over_as_well(empty_database_url, ctx, tmp_path):
    database = Database(empty_database_url, most=3)
    await database.open()
    try:
        await migrate(database, folder_of(tmp_path / "m", up_to=BEFORE))
        await migrate(database)

        mine = replace(ctx, db=database)
        assert (await verify(mine)).ok
        await record_one(mine)
        assert (await verify(mine)).events == 1
    finally:
        await database.close()


def test_the_migration_is_where_this_test_thinks_it_is():
    assert any(each.name.startswith(BEFORE) and "audit" in each.name for each in list_migrations())
