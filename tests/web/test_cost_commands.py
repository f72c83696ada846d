"""The commands of costs against a control process that runs."""

import csv
import io
import json
import time

import pytest
from spending_calls import DAY, HOUR, USD, entry, settle
from test_control_commands import flyball  # noqa: F401 -- a fixture


@pytest.fixture
async def settled(ctx):
    """Calls of two functions, today and a week ago."""
    now = time.time_ns()
    return await settle(
        ctx,
        *(
            entry(at_ns=now - HOUR, function="triage", variant="small", nano_usd=2 * USD, price_version="declared:x")
            for _ in range(3)
        ),
        entry(at_ns=now - 8 * DAY, function="triage", variant="big", nano_usd=5 * USD),
        entry(at_ns=now - HOUR, function="answer", nano_usd=None, cache_read_tokens=9),
    )


async def test_costs_are_shown_by_every_command(flyball, settled):  # noqa: F811 -- likewise
    shown = {}
    for words in (
        ("spend", "--by", "function"),
        ("movers", "--by", "function"),
        ("forecast",),
        ("units",),
        ("savings",),
        ("chargeback",),
    ):
        when = () if words[0] == "forecast" else ("--last", "7d")
        code, out, error = await flyball("costs", *words, *when)
        assert (code, error) == (0, ""), words
        shown[words[0]] = out

    assert "triage" in shown["spend"]
    assert "$6.00 for 4 calls" in shown["spend"]
    assert "1 attempts have no known price" in shown["spend"]
    assert "+$1.00" in shown["movers"]
    assert "nobody can say" not in shown["forecast"]
    assert "Nobody judged" in shown["units"]
    assert "$2.00" in shown["units"]
    assert "unknown" in shown["savings"]
    assert "(none)" in shown["chargeback"]


async def test_costs_are_told_as_json_and_narrowed(flyball, settled):  # noqa: F811 -- likewise
    code, out, _ = await flyball("costs", "spend", "--function", "triage", "--last", "30d", "--json")
    found = json.loads(out)

    assert code == 0
    assert (found["total"]["nano_usd"], found["window"][1] - found["window"][0]) == (11 * USD, 30 * DAY)
    code, _, error = await flyball("costs", "spend", "--of-key", "nobody")
    assert code == 7
    assert "nobody" in error
    code, _, error = await flyball("costs", "spend", "--last", "fortnight")
    assert code == 2
    assert "--last 24h" in error


async def test_costs_are_written_to_a_file_that_is_not_replaced(flyball, settled, tmp_path):  # noqa: F811 -- likewise
    file = tmp_path / "costs.csv"
    code, out, _ = await flyball("costs", "export", str(file), "--format", "focus", "--last", "30d", "--json")
    rows = list(csv.DictReader(io.StringIO(file.read_text(), newline="")))

    assert code == 0
    assert json.loads(out)["lines"] == len(rows)
    assert sum(float(row["BilledCost"]) for row in rows) == 11
    code, _, error = await flyball("costs", "export", str(file))
    assert code != 0
    assert "is there already" in error
