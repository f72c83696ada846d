"""What a connection of the application may not do, whatever statement somebody brings into it."""

import psycopg
import pytest

FORBIDDEN = {
    "read a file of the server": "select pg_read_file('/etc/passwd')",
    "list a folder of the server": "select pg_ls_dir('/')",
    "write a file": "copy (select 1) to '/tmp/x'",
    "read a file into a table": "copy keys from '/etc/passwd'",
    "run a program": "copy keys from program 'id'",
    "load a library": "load '/tmp/x.so'",
    "make a function in C": "create function f() returns void language c as '/tmp/x.so', 'f'",
    "make a function at all": "create function public.f() returns int language sql as 'select 1'",
    "make an extension": "create extension dblink",
    "make a role": "create role evil superuser",
    "become the server's user": "alter role flyball_app superuser",
    "make a table": "create table public.x (a int)",
    "take a table away": "drop table keys",
    "take the wall away": "alter table keys disable row level security",
    "write a policy": "create policy p on keys using (true)",
    "read what runs are pickled in": "select * from dbos.secrets_of_runs",
    "write what runs are unpickled from": "insert into dbos.secrets_of_runs values (1)",
    "read password verifiers of roles": "select rolpassword from pg_authid",
    "change the server": "alter system set log_statement = 'all'",
    "read large files by number": "select lo_import('/etc/passwd')",
}


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_a_connection_of_the_application_cannot(ctx, what):
    async with ctx.db.owner_connection() as connection:
        await connection.execute("create schema dbos")
        await connection.execute("create table dbos.secrets_of_runs (a int)")

    with pytest.raises(psycopg.Error):
        async with ctx.db.connection() as connection:
            await connection.execute(FORBIDDEN[what])
