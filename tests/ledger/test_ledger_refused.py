"""What the database would never take of the ledger is kept, and `flyball doctor` shows how much money is in no sum."""

import asyncio
import json

from typer.testing import CliRunner

from flyball.cli.root import app
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.ledger.records import Entry
from flyball.ledger.settling import SpooledEntries, deliver_entries

_ENTRY = {"organisation": "default", "at_ns": 1_780_315_200 * 10**9}


async def test_an_entry_that_is_refused_is_shown_by_doctor_with_its_worth_and_reason(ctx):
    with Spool(ctx.layout.spool, "ledger-1", capacity=1 << 17) as spool:
        entries = SpooledEntries(spool)
        entries.append(Entry(id="1" * 16, project=ctx.project, nano_usd=5, **_ENTRY))
        entries.append(Entry(id="2" * 16, project="nowhere", nano_usd=1_250_000_000, **_ENTRY))
        entries.append(Entry(id="3" * 16, project="nowhere", nano_usd=None, **_ENTRY))
        assert await Drain(spool, ctx.db.across_projects(), ctx.clock, deliver_entries).finish()

    found = (await asyncio.to_thread(examine, ctx))["refused entries"]
    assert found["state"] == "warning"
    assert found["found"].startswith("2 entries of the ledger ($1.25) are in no sum and no counter")
    assert "violates foreign key" in found["found"]
    assert str(ctx.layout.spool / "ledger-1" / "refused.jsonl") in found["next_step"]


async def test_where_nothing_was_refused_doctor_says_so(ctx):
    assert (await asyncio.to_thread(examine, ctx))["refused records"]["state"] == "ok"


def examine(ctx):
    answer = CliRunner().invoke(app, ["doctor", "--json", "--data", str(ctx.layout.root)], env={"FLYBALL_PORT": "0"})
    return {row["check"]: row for row in json.loads(answer.stdout)}
