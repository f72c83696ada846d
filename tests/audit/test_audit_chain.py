"""The audit record: one event per change, in its transaction, and a chain that shows every tampering."""

import asyncio
from dataclasses import replace

import pytest

from flyball.audit import Head, Wanted, chain, service, store
from flyball.audit.verifying import verify
from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_one


async def record_some(ctx: Context, many: int) -> None:
    for number in range(many):
        async with ctx.db.transaction() as connection:
            await service.record(
                connection,
                ctx,
                action="things.create",
                object_kind="thing",
                object_id=f"t{number}",
                after={"n": number},
            )


async def tamper(ctx: Context, statement: str) -> None:
    async with ctx.db.owner_connection() as connection, connection.transaction():
        await execute(connection, "alter table audit_events disable trigger all")
        await execute(connection, "delete from audit_salts where seq >= 3")
        await execute(connection, statement)
        await execute(connection, "alter table audit_events enable trigger all")


def rewrite(field: str, value: str, seq: int) -> str:
    """A statement that changes one field of what an event says, and nothing else."""
    pattern = f'("{field}":)(null|"[^"]*")'
    return f"update audit_events set canonical = regexp_replace(canonical, '{pattern}', '\\1\"{value}\"') where seq = {seq}"


async def test_an_untouched_chain_verifies(ctx):
    await record_some(ctx, 7)

    found = await verify(ctx)

    assert found.ok
    assert found.events == 7
    assert found.head.seq == 7


async def test_an_empty_chain_verifies(ctx):
    assert (await verify(ctx)).ok


@pytest.mark.parametrize(
    "column",
    ["at_ns", "mono_ns", "boot_id", "actor_id", "actor_kind", "actor_name", "action", "object_kind", "auth_method"],
)
async def test_a_changed_field_breaks_the_chain_at_its_event(ctx, column):
    await record_some(ctx, 5)
    value = "1" if column.endswith("_ns") else "somebody else"

    await tamper(ctx, rewrite(column, value, 3))

    found = await verify(ctx)
    assert not found.ok
    assert found.broken_at == 3


@pytest.mark.parametrize("column", ["object_id", "before", "after", "request_id"])
async def test_a_changed_object_or_commitment_breaks_the_chain(ctx, column):
    await record_some(ctx, 5)

    await tamper(ctx, rewrite(column, "x", 4))

    assert (await verify(ctx)).broken_at == 4


async def test_a_deleted_event_is_a_gap(ctx):
    await record_some(ctx, 5)

    await tamper(ctx, "delete from audit_events where seq = 3")

    found = await verify(ctx)
    assert not found.ok
    assert found.gap == 3


async def test_two_events_that_changed_places_break_the_chain(ctx):
    await record_some(ctx, 5)

    await tamper(
        ctx,
        "update audit_events set seq = case seq when 3 then 1004 else 1003 end where seq in (3, 4);"
        "update audit_events set seq = seq - 1000 where seq > 1000",
    )

    assert (await verify(ctx)).broken_at == 3


async def test_a_cut_end_is_a_gap(ctx):
    await record_some(ctx, 5)

    await tamper(ctx, "delete from audit_events where seq >= 4")

    assert (await verify(ctx)).gap == 4


async def test_a_cut_end_stays_a_gap_after_more_was_written(ctx):
    await record_some(ctx, 5)
    await tamper(ctx, "delete from audit_events where seq >= 4")

    await record_some(ctx, 2)

    assert (await verify(ctx)).gap == 4


async def test_a_cut_end_with_a_rewritten_head_shows_against_a_head_noted_elsewhere(ctx):
    await record_some(ctx, 3)
    async with ctx.db.connection() as connection:
        row = await fetch_one(connection, "select hash from audit_events where seq = 3")
    await record_some(ctx, 2)
    noted = (await verify(ctx)).head

    await tamper(ctx, "delete from audit_events where seq >= 4")
    async with ctx.db.transaction() as connection:
        await execute(connection, "update audit_heads set seq = 3, hash = %s", row["hash"])

    assert (await verify(ctx)).ok  # inside the database nothing shows any more
    assert (await verify(ctx, noted)).gap == 4


async def test_a_rebuilt_chain_shows_against_a_head_noted_elsewhere(ctx):
    await record_some(ctx, 3)

    found = await verify(ctx, Head(seq=2, hash="0" * 64))

    assert found.broken_at == 2


async def test_events_refuse_to_be_changed_by_an_ordinary_statement(ctx):
    await record_some(ctx, 1)

    for statement in (
        "update audit_events set canonical = '{}'",
        "delete from audit_events",
        "truncate audit_events cascade",
    ):
        with pytest.raises(Exception, match="append-only"):
            async with ctx.db.owner_connection() as connection:
                await execute(connection, statement)


async def fail_after_recording(ctx: Context) -> None:
    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('p', 'default', 'p', 'p', 1)",
        )
        await service.record(connection, ctx, action="projects.create", object_kind="project", object_id="p")
        raise ZeroDivisionError


async def test_a_rollback_leaves_neither_change_nor_event(ctx):
    with pytest.raises(ZeroDivisionError):
        await fail_after_recording(ctx)

    async with ctx.db.connection() as connection:
        assert await fetch_one(connection, "select 1 from projects where id = 'p'") is None
    assert (await verify(ctx)).events == 0


async def test_writers_at_the_same_time_keep_one_chain(ctx):
    await asyncio.gather(*(record_some(ctx, 10) for _ in range(5)))

    found = await verify(ctx)

    assert found.ok
    assert found.events == 50


async def test_only_a_commitment_to_the_content_is_kept(ctx):
    async with ctx.db.transaction() as connection:
        event = await service.record(
            connection,
            ctx,
            action="a.b",
            object_kind="a",
            object_id="1",
            before=None,
            after={"email": "ada@example.org"},
        )

    async with ctx.db.connection() as connection:
        row = await fetch_one(connection, "select to_jsonb(e) as event from audit_events e where seq = %s", event.seq)
        salt = await store.salt(connection, "default", event.seq)
    assert "ada" not in str(row)
    assert event.before is None
    assert event.after == chain.commitment(salt, "after", {"email": "ada@example.org"})


async def test_a_destroyed_salt_leaves_the_chain_whole(ctx):
    await record_some(ctx, 3)

    async with ctx.db.transaction() as connection:
        await execute(connection, "delete from audit_salts where seq = 2")

    assert (await verify(ctx)).ok


async def test_events_are_listed_newest_first_in_pages(ctx):
    await record_some(ctx, 5)

    first = await service.list_events(ctx, limit=3)
    second = await service.list_events(ctx, first.next, 3)

    assert [event.seq for event in first.items + second.items] == [5, 4, 3, 2, 1]
    assert second.next is None


async def test_events_of_another_project_are_not_listed(ctx):
    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('p', 'default', 'p', 'p', 1)",
        )
    await record_some(replace(ctx, project="p"), 2)

    assert (await service.list_events(ctx)).items == ()


async def test_events_of_one_object_are_found(ctx):
    await record_some(ctx, 4)

    found = await service.list_events(ctx, wanted=Wanted(object_kind="thing", object_id="t2"))

    assert [event.object_id for event in found.items] == ["t2"]
