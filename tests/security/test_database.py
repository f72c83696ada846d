"""What a connection of the application may not do, whatever statement somebody brings into it; and what only who writes the statements keeps it from."""

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

FORBIDDEN = {
    "read a file of the server": "select pg_read_file('/etc/passwd')",
    "list a folder of the server": "select pg_ls_dir('/')",
    "write a file": "copy (select 1) to '/dev/null'",
    "read a file into a table": "copy lines from '/etc/passwd' (delimiter e'\\x01')",
    "run a program": "copy lines from program 'true'",
    "load a library": "load '$libdir/plpgsql'",
    "make a function in C": "create function public.f() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler'",
    "make a function at all": "create function public.f() returns int language sql as 'select 1'",
    "take an extension away": "drop extension plpgsql cascade",
    "make a role": "create role evil superuser",
    "become the server's user for good": "alter role flyball_app superuser",
    "make a table": "create table public.x (a int)",
    "take a table away": "drop table lines",
    "take the wall away": "alter table keys disable row level security",
    "let the wall stand for others": "alter table keys no force row level security",
    "write a policy": "create policy p on keys using (true)",
    "take a policy away": "drop policy of_its_project on keys",
    "silence a trigger": "alter table audit_events disable trigger user",
    "pass triggers by": "set session_replication_role = replica",
    "empty a table": "truncate lines",
    "read what runs are kept in": "select * from dbos.secrets_of_runs",
    "write what runs are read from": "insert into dbos.secrets_of_runs values (1)",
    "read password verifiers of roles": "select rolpassword from pg_authid",
    "change the server": "alter system set log_statement = 'none'",
    "read a large file by its number": "select lo_import('/etc/passwd')",
    "have the server read its settings anew": "select pg_reload_conf()",
    "take another role": "set role {server}",
    "take another name": "set session authorization {server}",
}  # fmt: skip
_UNDONE = "alter system reset log_statement"
# These a session may always do whose user is a superuser: `flyball_app` is a role that it took.
BY_THE_SESSIONS_OWN_USER = {"take another role", "take another name"}
WITHOUT_TRANSACTION = {"change the server"}


@pytest.fixture
async def server(ctx):
    """The server's own user; there is a table of the application's and one of the machinery's."""
    async with ctx.db.owner_connection() as connection:
        await connection.execute("create schema dbos")
        await connection.execute("create table dbos.secrets_of_runs (a int)")
        await connection.execute("create table public.lines (line text)")
        return (await (await connection.execute("select session_user as name")).fetchone())["name"]


@pytest.mark.parametrize("what", sorted(FORBIDDEN.keys() - BY_THE_SESSIONS_OWN_USER))
async def test_a_connection_of_the_application_cannot(ctx, server, what):
    with pytest.raises(InsufficientPrivilege):
        async with ctx.db.connection() as connection:
            await connection.execute(FORBIDDEN[what].format(server=server))


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_it_is_the_role_alone_that_keeps_it_from_that(ctx, server, what):
    """The same statement succeeds where the role is laid down: so nothing else refuses it, a misspelling least of all."""
    async with ctx.db.owner_connection() as connection:
        statement = FORBIDDEN[what].format(server=server)
        if what in WITHOUT_TRANSACTION:
            await connection.execute(statement)
            await connection.execute(_UNDONE)
            return
        async with connection.transaction(force_rollback=True):
            await connection.execute(statement)


@pytest.mark.parametrize("statement", ["reset role", "set role none", "set role {server}", "reset all"])
async def test_a_statement_that_lays_the_role_down_is_not_held_by_it(ctx, server, statement):
    """As SECURITY.md says of the embedded server. Where the server's user is no superuser there is nothing to lay down."""
    async with ctx.db.connection() as connection, connection.transaction(force_rollback=True):
        await connection.execute(statement.format(server=server))
        row = await (await connection.execute("select current_user as name")).fetchone()

    assert row["name"] == ("flyball_app" if statement == "reset all" else server)


async def test_a_role_that_logs_in_itself_lays_nothing_down(ctx, server):
    """So whoever has a server of their own, with a user for flyball that is no superuser, has the wall against this too."""
    async with ctx.db.owner_connection() as connection:
        await connection.execute("create role flyball_login login nosuperuser in role flyball_app")
    try:
        async with await psycopg.AsyncConnection.connect(
            ctx.db.url, user="flyball_login", autocommit=True
        ) as connection:
            await connection.execute("reset role")
            for statement in (
                "set role {server}",
                "set session authorization {server}",
                "alter table keys disable row level security",
            ):
                with pytest.raises(InsufficientPrivilege):
                    await connection.execute(statement.format(server=server))
    finally:
        async with ctx.db.owner_connection() as connection:
            await connection.execute("drop role flyball_login")
