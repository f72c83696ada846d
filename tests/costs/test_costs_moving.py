"""Why costs changed: price, volume and mix add up to the change, to the nano-dollar, and say what happened."""

import random

import pytest
from spending_calls import DAY, HOUR, NOON, at, entry, settle

from flyball.costs import service
from flyball.costs.decomposing import Cell, moved
from flyball.costs.errors import CostsInvalidError
from flyball.costs.records import Window

DAY_NOW, DAY_BEFORE = Window(NOON - DAY + HOUR, NOON + HOUR), Window(NOON - 2 * DAY + HOUR, NOON - DAY + HOUR)


def a_cell(chance):
    tokens = chance.choice([0, 0, 1, 7, chance.randrange(10**9)])
    return Cell(chance.choice([0, 1, 10**15, chance.randrange(10**12)]), tokens, chance.randrange(1, 100))


def test_the_parts_add_up_to_the_change_whatever_it_is_and_turn_round_when_the_windows_do():
    chance = random.Random(8)
    for _ in range(3_000):
        before, after = (
            {name: a_cell(chance) for name in chance.sample("abcd", chance.randrange(4))} for _ in range(2)
        )
        there, back = moved(before, after), moved(after, before)

        assert there.price + there.volume + there.mix + there.new + there.gone == there.delta
        assert there.delta == sum(c.nano_usd for c in after.values()) - sum(c.nano_usd for c in before.values())
        assert back.delta == -there.delta
        assert all(abs(getattr(there, name) + getattr(back, name)) <= 1 for name in ("price", "volume", "mix"))
        assert (there.new, there.gone) == (-back.gone, -back.new)


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        ({"a": Cell(100, 10, 1)}, {"a": Cell(200, 10, 1)}, (100, 0, 0)),  # a token costs twice as much
        ({"a": Cell(100, 10, 1)}, {"a": Cell(300, 30, 1)}, (0, 200, 0)),  # three times as many tokens
        ({"a": Cell(100, 10, 1), "b": Cell(10, 10, 1)}, {"a": Cell(200, 20, 1), "b": Cell(0, 0, 0)}, (0, 0, 90)),  # b's go to a
        ({"a": Cell(100, 10, 1)}, {"b": Cell(20, 10, 1)}, (0, 0, -80)),  # all tokens go to another model
        ({"a": Cell(30, 0, 3)}, {"a": Cell(50, 0, 5)}, (0, 20, 0)),  # what costs without tokens is counted in attempts
    ],
)  # fmt: skip
def test_each_reason_is_told_apart(before, after, parts):
    change = moved(before, after)

    assert (change.price, change.volume, change.mix) == parts


def test_what_is_new_or_gone_is_no_mix():
    assert moved({}, {"a": Cell(7, 1, 1)}).new == 7
    assert moved({"a": Cell(7, 1, 1)}, {}).gone == -7


async def test_a_function_that_went_over_to_a_dearer_model_moved_by_its_mix(ctx):
    def calls(model, nano_usd, at_ns, **more):
        return [entry(at_ns=at_ns, function="triage", model=model, nano_usd=nano_usd, **more) for _ in range(10)]

    await settle(
        ctx,
        *calls("fast", 10, NOON - DAY),
        *calls("slow", 50, NOON),
        entry(at_ns=NOON - DAY, function="old", nano_usd=70),
        entry(at_ns=NOON, function="young", nano_usd=3),
    )

    found = await service.movers(at(ctx), DAY_NOW, "function")
    rows = {row.name: row for row in found.rows}

    assert found.against == DAY_BEFORE
    assert [row.name for row in found.rows] == ["triage", "old", "young"]
    assert (rows["triage"].moved.delta, rows["triage"].moved.mix, rows["triage"].moved.price) == (400, 400, 0)
    assert (rows["old"].is_gone, rows["old"].moved.gone, rows["young"].is_new, rows["young"].moved.new) == (
        True,
        -70,
        True,
        3,
    )
    assert (found.total.delta, found.total.mix, found.total.new, found.total.gone) == (333, 400, 3, -70)


async def test_a_price_that_doubled_is_told_as_price_by_every_dimension(ctx):
    for by in ("model", "key", "function", "provider", "project"):
        await settle(ctx, entry(at_ns=NOON - DAY, nano_usd=10), entry(at_ns=NOON, nano_usd=20))
        found = await service.movers(at(ctx), DAY_NOW, by)

        assert found.total.price == found.total.delta, by


async def test_rows_and_others_add_up_to_the_total(ctx):
    await settle(ctx, *(entry(model=f"m{number}", nano_usd=number) for number in range(10)))

    found = await service.movers(at(ctx), DAY_NOW, "model", limit=4)

    assert sum(row.moved.delta for row in found.rows) + found.others.delta == found.total.delta == 45
    assert found.names == 9  # one cost nothing, before and after


async def test_a_window_to_compare_with_that_is_none_is_refused(ctx):
    with pytest.raises(CostsInvalidError, match="before it begins"):
        await service.movers(at(ctx), DAY_NOW, against=Window(NOON, NOON - 1))


async def test_the_window_before_the_first_one_is_empty_and_everything_is_new(ctx):
    await settle(ctx, entry(nano_usd=5))

    found = await service.movers(at(ctx, 2 * HOUR), Window(0, HOUR))

    assert (found.against, found.total.delta) == (Window(0, 0), 0)
