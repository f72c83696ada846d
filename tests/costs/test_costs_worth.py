"""What a call and a good answer cost, what was saved, and who is charged: from the ledger, prices and scores."""

import msgspec
import pytest
from spending_calls import DAY, HOUR, NOON, at, entry, settle

from flyball.costs import service
from flyball.costs.errors import CostsInvalidError
from flyball.costs.records import Window
from flyball.llm.usage import Usage
from flyball.models import service as models
from flyball.models.pricing import cost
from flyball.models.records import ModelSpec, Prices
from flyball.traces import service as traces
from flyball.traces.records import Score

WEEK = Window(NOON - 7 * DAY, NOON + HOUR)


def calls(count, variant, nano_usd, *, function="triage", **more):
    """Calls of a function: an entry of its own each, and what it asked of a model."""
    made = []
    for _ in range(count):
        call = entry(function=function, variant=variant, model=None, provider=None, nano_usd=0, input_tokens=0, **more)
        inner = {"trace_id": call.trace_id, "requests": 0, "function": function, "variant": variant}
        made += [call, entry(nano_usd=nano_usd, **inner, **more)]
    return made


async def judge(ctx, call, value, number=0, **more):
    plain = {"target_kind": "trace", "target_id": call.trace_id, "trace_id": call.trace_id, "name": "feedback"}
    score = Score(score_id=f"sc_{call.id}_{number}", created_ns=NOON + number, value=value, **plain | more)
    assert await traces.record_score(ctx, score)


async def test_a_call_costs_what_its_model_cost_by_function_and_variant(ctx):
    await settle(ctx, *calls(3, "small", 10), *calls(1, "big", 90), *calls(2, "only", 5, function="answer"), entry())

    found = await service.units(at(ctx), WEEK)
    rows = {(row.function, row.variant): row for row in found.rows}

    assert list(rows) == [
        ("triage", ""),
        ("triage", "big"),
        ("triage", "small"),
        ("answer", ""),
        ("answer", "only"),
    ]
    assert (rows["triage", ""].per_call, rows["triage", "big"].per_call, rows["triage", "small"].per_call) == (
        30,
        90,
        10,
    )
    assert rows["triage", "small"].per_1k_tokens == 100
    assert (rows["triage", ""].judged, rows["triage", ""].share_good, rows["triage", ""].per_good) == (0, None, None)
    assert found.told.startswith("Nobody judged")


async def test_a_good_answer_costs_a_call_over_the_share_that_is_good_with_its_interval(ctx):
    made = calls(10, "small", 40)
    await settle(ctx, *made)
    for number, call in enumerate(made[:8:2]):
        await judge(ctx, call, 1.0 if number < 2 else -1.0)

    row = (await service.units(at(ctx), WEEK)).rows[0]

    assert (row.judged, row.good, row.share_good, row.per_call, row.per_good) == (4, 2, 0.5, 40, 80)
    assert 0.1 < row.share_low < 0.5 < row.share_high < 0.9
    assert row.per_good_low < 80 < row.per_good_high


async def test_the_newest_judgement_counts_several_are_one_and_other_windows_are_left_out(ctx):
    made, late = calls(3, "small", 40), calls(1, "small", 40, at_ns=NOON - 20 * DAY)
    await settle(ctx, *made, *late)
    await judge(ctx, made[0], -1.0, 1, identifier="ada")
    await judge(ctx, made[0], 1.0, 2, identifier="ada")
    await judge(ctx, made[2], 1.0, 3, identifier="ada")
    await judge(ctx, made[2], -1.0, 4, identifier="bob")
    await judge(ctx, late[0], 1.0, 5)
    await judge(ctx, made[4], 0.9, 6, name="exact")

    row = (await service.units(at(ctx), WEEK)).rows[0]
    exact = (await service.units(at(ctx), WEEK, score="exact")).rows[0]

    assert (row.judged, row.good) == (2, 1)
    assert (exact.judged, exact.good) == (1, 1)


async def test_calls_that_were_rarely_picked_to_be_judged_weigh_more(ctx):
    made = calls(2, "small", 40)
    await settle(ctx, *made)
    await judge(ctx, made[0], 1.0, propensity=0.1)
    await judge(ctx, made[2], -1.0)

    assert (await service.units(at(ctx), WEEK)).rows[0].share_good == pytest.approx(10 / 11)


async def test_when_nothing_is_good_a_good_answer_has_no_cost(ctx):
    made = calls(1, "small", 40)
    await settle(ctx, *made)
    await judge(ctx, made[0], -1.0)

    row = (await service.units(at(ctx), WEEK)).rows[0]

    assert (row.judged, row.share_good, row.per_good, row.per_good_high) == (1, 0.0, None, None)
    assert row.per_good_low > 40


async def test_a_cost_that_is_not_known_is_none_and_told(ctx):
    await settle(ctx, *calls(2, "small", None))

    found = await service.units(at(ctx), WEEK)

    assert (found.rows[0].per_call, found.rows[0].sums.unpriced) == (None, 2)
    assert "no known price" in found.notes[0]


async def declare_model(ctx, name, prices):
    async with ctx.db.transaction() as connection:
        spec = {"endpoints": [{"provider": "openai", "model": "m", "api_key": "env:K"}], "prices": prices}
        await models.put(connection, ctx, name, msgspec.convert(spec, ModelSpec))
    return msgspec.convert(prices, Prices)


async def test_a_prompt_cache_saved_what_its_tokens_would_have_cost_as_input_at_the_prices_of_each_call(ctx):
    used = Usage(cache_read_tokens=1_000_001, cache_write_tokens=2_000, input_tokens=7)
    entries, expected, paid = [], 0, 0
    for prices in (
        {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75"},
        {"input": "2", "output": "15"},
    ):
        table = await declare_model(ctx, "fast", prices)
        billed = cost(used, table)
        plain = Usage(cache_write_tokens=2_000, input_tokens=1_000_008)
        expected += cost(plain, table).nano_usd - billed.nano_usd
        paid += cost(Usage(cache_write_tokens=2_000), table).nano_usd - cost(Usage(input_tokens=2_000), table).nano_usd
        entries.append(entry(nano_usd=billed.nano_usd, price_version=billed.price_version, input_tokens=7, cache_read_tokens=1_000_001, cache_write_tokens=2_000))  # fmt: skip
    await settle(ctx, *entries, entry(model="other", price_version="declared:gone", cache_read_tokens=9))

    found = await service.savings(at(ctx), WEEK)
    by_model = {each.model: each for each in found.cache}

    assert (by_model["fast"].saved, by_model["fast"].paid) == (expected, paid)
    assert expected == 2_700_002_700
    assert by_model["fast"].read_tokens == 2_000_002
    assert (by_model["other"].saved, by_model["other"].unpriced_tokens) == (None, 9)
    assert (found.cache_saved, found.cache_paid, found.answers_cached) == (expected, paid, None)


async def test_routing_saved_what_the_dearest_variant_would_have_cost_for_every_call(ctx):
    await settle(ctx, *calls(3, "small", 10), *calls(2, "big", 101), *calls(2, "only", 5, function="answer"))

    found = await service.savings(at(ctx), WEEK)

    (route,) = found.routing
    assert (route.function, route.baseline, route.calls, route.calls_of_baseline) == ("triage", "big", 5, 2)
    assert (route.paid, route.would_have, route.saved, found.routing_saved) == (232, 505, 273, 273)


async def test_where_nothing_could_be_saved_that_is_said_and_not_0(ctx):
    found = await service.savings(at(ctx), WEEK)

    assert (found.cache_saved, found.answers_cached, found.routing_saved) == (None, None, None)


@pytest.mark.parametrize("by", ["tag", "key", "function", "variant", "member", "project", "state"])
async def test_every_entry_is_charged_once(ctx, by):
    tags = [(), ("a",), ("b", "a"), ("a", "b", "a"), ("c",)]
    await settle(ctx, *(entry(tags=tags[number % 5], key_id=f"k{number % 3}", function=f"f{number % 2}", nano_usd=number) for number in range(40)))  # fmt: skip

    found = await service.chargeback(at(ctx), WEEK, by)

    assert sum(row.sums.nano_usd for row in found.rows) == found.total.nano_usd == sum(range(40))
    assert sum(row.sums.entries for row in found.rows) == 40
    if by == "tag":
        assert {row.name: row.sums.entries for row in found.rows} == {"": 8, "a": 8, "a + b": 16, "c": 8}


@pytest.mark.parametrize("score", ["", "x" * 201, "a\x00b"])
async def test_a_score_that_none_can_be_is_refused(ctx, score):
    with pytest.raises(CostsInvalidError):
        await service.units(at(ctx), WEEK, score=score)
