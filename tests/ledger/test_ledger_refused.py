"""What the database would never take of the ledger is kept, and `flyball doctor` shows how much money is in no sum."""

import asyncio
import json

import pytest
from declaring import make_projects
from typer.testing import CliRunner

from flyball.cli.root import app
from flyball.infra.db.database import fetch_all
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.ledger.records import Entry
from flyball.ledger.settling import SpooledEntries, deliver_entries

_ENTRY = {"organisation": "default", "at_ns": 1_780_315_200 * 10**9}


async def delivers(ctx, *entries):
    """Bring entries to the ledger as a gateway does."""
    with Spool(ctx.layout.spool, "ledger-1", capacity=1 << 17) as spool:
        for entry in entries:
            assert SpooledEntries(spool).append(entry)
        assert await Drain(spool, ctx.db.across_projects(), ctx.clock, deliver_entries).finish()


async def test_an_entry_that_is_refused_is_shown_by_doctor_with_its_worth_and_reason(ctx):
    await delivers(
        ctx,
        Entry(id="1" * 16, project=ctx.project, nano_usd=5, **_ENTRY),
        Entry(id="2" * 16, project="nowhere", nano_usd=1_250_000_000, **_ENTRY),
        Entry(id="3" * 16, project="nowhere", nano_usd=None, **_ENTRY),
    )

    found = (await asyncio.to_thread(examine, ctx))["refused entries"]
    assert found["state"] == "warning"
    assert found["found"].startswith("2 entries of the ledger ($1.25) are in no sum and no counter")
    assert "no project 'nowhere' of an organisation 'default'" in found["found"]
    assert str(ctx.layout.spool / "ledger-1" / "refused.jsonl") in found["next_step"]


@pytest.mark.parametrize(
    "of",
    [
        ("nowhere", "default"),
        ("nowhere", "nowhere"),
        ("default", "nowhere"),
        ("default", "another"),
        ("theirs", "default"),
    ],
)
async def test_an_entry_of_a_project_or_organisation_that_is_not_there_is_set_aside_and_the_others_settle(ctx, of):
    await make_projects(ctx.db.across_projects(), {"theirs": "another"})
    whose = [("default", "default"), of, ("theirs", "another"), of, ("default", "default")]

    await delivers(
        ctx,
        *(
            Entry(**_ENTRY | {"id": f"{number:016x}", "project": project, "organisation": organisation}, nano_usd=1)
            for number, (project, organisation) in enumerate(whose)
        ),
    )

    refused = (ctx.layout.spool / "ledger-1" / "refused.jsonl").read_text().splitlines()
    assert len(refused) == 2
    async with ctx.db.across_projects().connection() as connection:
        kept = await fetch_all(
            connection, "select project, organisation, count(*) as n from ledger group by 1, 2 order by 1"
        )
        sums = await fetch_all(
            connection, "select project, sum(entries)::int as n from ledger_hours group by 1 order by 1"
        )
    assert [tuple(row.values()) for row in kept] == [("default", "default", 2), ("theirs", "another", 1)]
    assert [tuple(row.values()) for row in sums] == [("default", 2), ("theirs", 1)]


async def test_where_nothing_was_refused_doctor_says_so(ctx):
    assert (await asyncio.to_thread(examine, ctx))["refused records"]["state"] == "ok"


def examine(ctx):
    answer = CliRunner().invoke(app, ["doctor", "--json", "--data", str(ctx.layout.root)], env={"FLYBALL_PORT": "0"})
    return {row["check"]: row for row in json.loads(answer.stdout)}
