"""Tenancy is in every row, table of the lake and index; what is not is named here, with the reason. Decision 24 says why."""

import importlib
import re
from pathlib import Path

import pytest

from flyball.infra.db.database import fetch_all
from flyball.infra.lake.schema import TableSchema

SOURCE = Path(__file__).parents[2] / "src/flyball"
ID = "the key of a row: an id that is random, told by nobody else's row, and read together with the project"
CREDENTIAL = "a credential is looked up by its hash before anybody knows whose it is"
MACHINERY = "machinery works for all projects at once"
NAME = "this name is the server's, whatever the project"
WITHOUT_PROJECT = {
    **dict.fromkeys(
        [
            "data_keys_pkey", "dataset_versions_pkey", "datasets_pkey", "evaluation_reports_pkey", "function_versions_pkey",
            "index_versions_pkey", "indexes_pkey", "invitations_pkey", "key_uses_pkey", "keys_pkey", "leases_pkey", "model_versions_pkey",
            "notifications_pkey", "quotas_pkey", "receivers_pkey", "prompt_versions_pkey", "release_approvals_pkey", "releases_pkey", "runs_pkey", "sessions_pkey",
            "sign_in_links_pkey", "sign_in_providers_pkey",
        ],
        ID,
    ),
    **dict.fromkeys(
        ["invitations_hash_key", "keys_hash_key", "sessions_hash_key", "sign_in_links_hash_key", "sign_in_steps_pkey", "media_tickets_pkey"], CREDENTIAL
    ),
    **dict.fromkeys(["inbox_batches_in_order", "inbox_batches_of_file", "inbox_batches_pkey", "inbox_in_order", "inbox_pkey", "keys_changed", "leases_by_end", "open_spans_by_age", "notifications_due", "runs_unfinished"], MACHINERY),
    **dict.fromkeys(["alerts_pkey", "counters_pkey", "leases_of_quota"], "a part of a quota, whose id stands first and is random"),
    **dict.fromkeys(["notifications_about", "notifications_once"], "what was told to a receiver, whose id is random, of a quota, likewise"),
    "receivers_once": "the organisation stands first, whose receiver it may be as a whole; then the project",
    "quotas_by_scope": "the organisation stands first, whose quota it may be as a whole",
    "quotas_once": "the organisation stands first, whose quota it may be as a whole; then the project",
    "sign_in_providers_name": NAME,
}  # fmt: skip
TABLES_WITHOUT_PROJECT = {
    "organisations": "stand above projects",
    "projects": "are the projects",
    "members": "belong to an organisation, and a policy of their own looks at it",
    "second_factors": "belong to a member, and are seen from where the member is",
    "recovery_codes": "likewise",
    "sign_in_identities": "likewise",
    "sign_in_states": "hashes of states that were used: nothing of anybody",
    **dict.fromkeys(
        ["quotas", "counters", "leases", "alerts", "receivers", "notifications"],
        "belong to a project or to an organisation, and a policy of their own looks at both",
    ),
    "inbox_keys": "digests, of which the project is a part",
    "flush_heads": MACHINERY,
    "flush_batches": MACHINERY,
    "spool_positions": MACHINERY,
    "schema_migrations": MACHINERY,
    "health_minutes": "how the server as a whole did, minute by minute",
}


@pytest.fixture
async def indexes(ctx):
    """Every index of a table that has a project: its name, and whether the project is in its key."""
    async with ctx.db.owner_connection() as connection:
        rows = await fetch_all(
            connection,
            """
            select i.relname as name, a.attnum = any (x.indkey) as has_project
            from pg_index x
            join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
            join pg_attribute a on a.attrelid = t.oid and a.attname = 'project' and not a.attisdropped
            where t.relnamespace = 'public'::regnamespace
            """,
        )
    assert len(rows) > 80
    return {row["name"]: row["has_project"] for row in rows}


async def test_every_index_has_the_project_in_its_key_or_a_reason_not_to(indexes):
    without = {name for name, has_project in indexes.items() if not has_project}

    assert without - WITHOUT_PROJECT.keys() == set()
    assert WITHOUT_PROJECT.keys() - without == set(), "an exception that is none any more"


async def test_every_table_has_a_project_that_must_be_given_or_a_reason_not_to(ctx):
    async with ctx.db.owner_connection() as connection:
        rows = await fetch_all(
            connection,
            """
            select t.relname as name, t.relkind::text as kind, coalesce(bool_or(a.attname = 'project' and a.attnotnull), false) as has_project
            from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
            where t.relnamespace = 'public'::regnamespace and t.relkind in ('r', 'p', 'm', 'f') group by 1, 2
            """,
        )

    assert {row["name"] for row in rows if not row["has_project"]} == TABLES_WITHOUT_PROJECT.keys()
    assert {row["kind"] for row in rows} == {"r"}, "a partitioned table has to be divided by its project"


def test_every_table_of_the_lake_is_divided_by_project():
    files = [path for path in SOURCE.rglob("*.py") if re.search(r"= TableSchema\(", path.read_text())]
    modules = [".".join(("flyball", *path.relative_to(SOURCE).with_suffix("").parts)) for path in files]
    tables = [
        found
        for name in modules
        for found in vars(importlib.import_module(name)).values()
        if isinstance(found, TableSchema)
    ]

    assert len(tables) == sum(len(re.findall(r"= TableSchema\(", path.read_text())) for path in files) >= 5
    assert {table.partition_by[0] for table in tables} == {"project"}
    assert all("project" in table.arrow.names for table in tables)
