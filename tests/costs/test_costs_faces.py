"""Costs over HTTP, as files and by commands: what is asked, what comes back, who may."""

import csv
import io
import json

import pytest
from declaring import make_projects
from spending_calls import HOUR, NOON, USD, at, entry, settle

from flyball.audit import service as audit
from flyball.audit.records import Wanted
from flyball.costs import exporting, service
from flyball.costs.errors import CostsInvalidError
from flyball.costs.records import Filters, Window
from flyball.infra.db.database import fetch_one
from flyball.projects import keys

MAY = "since=2026-05-25&until=2026-06-01"
WINDOW = Window(NOON - 200 * HOUR, NOON + HOUR)


@pytest.fixture
async def settled(ctx):
    """Entries of three hours and two days; some with tags, some that look like formulas, one without a price."""
    key = (await keys.create_key(ctx, "desk")).key
    names = ("triage", "=HYPERLINK(1)", "+1", "@sum", "-2", None)
    made = [
        entry(
            at_ns=NOON - number * 7 * HOUR, key_id=key.line if number % 2 else None, function=names[number % 6], variant="v", member="m1",
            model="fast" if number % 3 else "slow", tags=(("a",), ("a", "=b"), ())[number % 3], nano_usd=number * USD + 1 if number < 19 else None,
            cache_read_tokens=number, release="rel_1", price_version="declared:x", state="complete" if number % 4 else "failed",
        )
        for number in range(20)
    ]  # fmt: skip
    return await settle(ctx, *made)


async def lines(ctx, format_, window=WINDOW, **more):
    written = b"".join([part async for part in await exporting.export(at(ctx), window, format_, **more)])
    return list(csv.DictReader(io.StringIO(written.decode(), newline="")))


def nano(text):
    whole, _, part = text.partition(".")
    assert len(part) == 9
    return int(whole) * USD + int(part)


@pytest.mark.parametrize(
    ("format_", "column", "counts"), [("csv", "usd", "entries"), ("focus", "BilledCost", "x_Attempts")]
)
async def test_an_export_adds_up_to_the_ledger_to_the_nano_dollar(ctx, settled, format_, column, counts):
    found = await lines(ctx, format_)

    async with ctx.db.connection() as connection:
        row = await fetch_one(
            connection,
            "select sum(nano_usd)::bigint as nano_usd, count(*) as n from ledger where project = %s",
            ctx.project,
        )
    assert sum(nano(line[column]) for line in found) == row["nano_usd"]
    assert sum(int(line[counts]) for line in found) == row["n"] == len(settled)


async def test_no_cell_of_an_export_is_a_formula(ctx, settled):
    for format_ in exporting.COLUMNS:
        found = await lines(ctx, format_)

        assert found
        assert not [
            cell for line in found for cell in line.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        ]


async def test_a_line_of_the_plain_file_says_whose_it_is(ctx, settled):
    found = await lines(ctx, "csv", Window(NOON - 8 * HOUR, NOON - 6 * HOUR))

    (line,) = found
    assert (line["from"], line["until"]) == ("2026-06-01T04:00:00Z", "2026-06-01T06:00:00Z")
    assert (line["project"], line["key"], line["function"], line["tags"], line["nano_usd"]) == ("default", "desk", "'=HYPERLINK(1)", '["=b", "a"]', str(USD + 1))  # fmt: skip


MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
    "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName",
    "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
)  # fmt: skip


async def test_focus_has_its_mandatory_columns_and_none_is_empty_but_the_class_of_a_charge(ctx, settled):
    found = await lines(ctx, "focus")

    for line in found:
        assert set(MANDATORY) <= line.keys()
        assert [name for name in MANDATORY if not line[name]] == ["ChargeClass"]
        assert all(name[0].isupper() or name.startswith("x_") for name in line)
        assert line["ServiceCategory"] == "AI and Machine Learning"
        assert (
            line["BillingPeriodStart"]
            <= line["ChargePeriodStart"]
            < line["ChargePeriodEnd"]
            <= line["BillingPeriodEnd"]
        )
        assert all(value is True for value in json.loads(line["Tags"]).values())
    assert {line["BillingPeriodStart"] for line in found} == {"2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"}


async def test_an_export_is_recorded(ctx, settled):
    await lines(ctx, "csv")

    events = (await audit.list_events(ctx, wanted=Wanted(action="costs.export"))).items
    assert len(events) == 1


async def test_a_format_that_is_none_is_refused(ctx):
    with pytest.raises(CostsInvalidError, match="xlsx"):
        await exporting.export(at(ctx), WINDOW, "xlsx")


async def test_everything_is_answered_over_the_api(ctx, admin, settled):
    spend = (await admin.get(f"/api/costs/spend?{MAY}&by=key")).json()
    movers = (await admin.get(f"/api/costs/movers?{MAY}&by=function&limit=3")).json()
    month = (await admin.get("/api/costs/forecast?month=2026-05")).json()
    units = (await admin.get(f"/api/costs/units?{MAY}")).json()
    savings = (await admin.get(f"/api/costs/savings?{MAY}")).json()
    charged = (await admin.get(f"/api/costs/chargeback?{MAY}&by=tag")).json()
    file = await admin.get(f"/api/costs/export?{MAY}&format=focus")

    total = sum(each.nano_usd or 0 for each in settled)
    assert spend["total"]["nano_usd"] == charged["total"]["nano_usd"] == movers["total"]["delta"] == total
    assert {row["name"] for row in spend["rows"]} == {"", "desk"}
    assert (len(movers["rows"]), movers["names"]) == (3, 6)
    assert month["method"] == "over"
    assert units["rows"][0]["judged"] == 0
    assert savings["cache"][0]["unpriced_tokens"] > 0
    assert file.headers["content-type"] == ["application/octet-stream"]
    assert (
        sum(nano(line["BilledCost"]) for line in csv.DictReader(io.StringIO(file.body.decode(), newline=""))) == total
    )


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("spend?since=2026-06-02&until=2026-06-01", 400, "costs_invalid"),
        ("spend?since=0001-01-01", 400, "costs_invalid"),
        ("spend?since=2999-01-01", 400, "costs_invalid"),
        ("spend?since=1970-01-01", 400, "costs_invalid"),
        ("spend?since=yesterday", 400, "time_unreadable"),
        ("spend?by=colour", 400, "costs_invalid"),
        ("spend?limit=0", 400, "invalid_input"),
        ("spend?key=nobody", 404, "key_not_found"),
        ("spend?member=nobody", 404, "member_not_found"),
        ("spend?function=%00", 400, "costs_invalid"),
        ("spend?organisation_wide=true&project=nobody", 404, "project_not_found"),
        ("movers?last=fortnight", 400, "costs_invalid"),
        ("forecast?month=2999-01", 400, "costs_invalid"),
        ("forecast?month=%0a", 400, "costs_invalid"),
        ("units?score=", 400, "costs_invalid"),
        ("savings?last=7d&since=2026-01-01", 400, "costs_invalid"),
        ("chargeback?by=", 400, "costs_invalid"),
        ("export?format=..%2f..", 400, "costs_invalid"),
    ],
)
async def test_what_nobody_can_answer_is_refused_with_the_next_step(admin, path, status, code):
    answer = await admin.get(f"/api/costs/{path}")

    assert (answer.status, answer.json()["error"]["code"]) == (status, code)


async def test_an_owner_sees_the_whole_organisation_and_nobody_else_does(ctx, public, settled):
    await make_projects(ctx.db.across_projects(), {"sister": "default", "stranger": "elsewhere"})
    await settle(
        ctx, entry(project="sister", nano_usd=3), entry(project="stranger", organisation="elsewhere", nano_usd=5)
    )
    own = sum(each.nano_usd or 0 for each in settled)

    alone = await service.spend(at(ctx), WINDOW, "project")
    wide = await service.spend(at(ctx), WINDOW, "project", organisation_wide=True)
    sister = await service.spend(at(ctx), WINDOW, "key", Filters(project="sister"), organisation_wide=True)
    files = await lines(ctx, "focus", organisation_wide=True)

    assert [(row.name, row.sums.nano_usd) for row in alone.rows] == [("default", own)]
    assert [(row.name, row.sums.nano_usd) for row in wide.rows] == [("default", own), ("sister", 3)]
    assert sister.total.nano_usd == 3
    assert sum(nano(line["BilledCost"]) for line in files) == own + 3
    viewer = (await keys.create_key(ctx, "viewer", role="viewer")).secret.reveal()
    for what in ("spend", "movers", "forecast", "savings", "chargeback", "export"):
        refused = await public.get(
            f"/api/costs/{what}?organisation_wide=true", headers={"authorization": f"Bearer {viewer}"}
        )
        own_alone = await public.get(f"/api/costs/{what}", headers={"authorization": f"Bearer {viewer}"})
        assert (what, refused.status, own_alone.status) == (what, 403, 200)


async def test_without_the_right_to_read_the_ledger_nothing_is_told(ctx, public):
    caller = (await keys.create_key(ctx, "caller", role="application")).secret.reveal()

    for what in ("spend", "movers", "forecast", "units", "savings", "chargeback", "export"):
        answer = await public.get(f"/api/costs/{what}", headers={"authorization": f"Bearer {caller}"})
        assert (what, answer.status) == (what, 403)
