"""What a month will have cost: the interval holds about as often as it says, and says nothing where there is too little."""

import random

import pytest
from spending_calls import DAY, HOUR, NOON, at, entry, settle

from flyball.costs import service
from flyball.costs.errors import CostsInvalidError
from flyball.costs.predicting import Part, predict
from flyball.costs.records import Filters, Window

WEEK = (1.0, 1.1, 1.0, 1.2, 0.9, 0.3, 0.2)
JUNE_1 = NOON - 12 * HOUR


def days(chance, count, kind):
    """Made days: each with its weekday and cost."""
    made, left = [], 0.0
    for number in range(count):
        left = 0.6 * left + chance.gauss(0, 0.2) if kind == "sticky" else chance.gauss(0, 0.25)
        made.append((number % 7, 100 * (1.0 if kind == "flat" else WEEK[number % 7]) * max(0.0, 1 + left)))
    return made


@pytest.mark.parametrize("kind", ["weekly", "sticky", "flat"])
@pytest.mark.parametrize("known", [21, 35, 56])
def test_the_interval_holds_about_eight_times_out_of_ten(kind, known):
    chance, held, tries = random.Random(known), 0, 600
    for _ in range(tries):
        made = days(chance, known + 28, kind)[14:]
        past, ahead = made[:known], made[known:]
        predicted = predict(past, [Part(weekday, 1.0) for weekday, _ in ahead])
        held += predicted.low <= sum(cost for _, cost in ahead) <= predicted.high

    assert 0.72 <= held / tries <= 0.9


def test_weekdays_are_told_apart():
    made = [(number % 7, 100 * WEEK[number % 7]) for number in range(28)]

    weekend = predict(made, [Part(5, 1.0), Part(6, 1.0)])

    assert weekend.method == "weekdays"
    assert weekend.expected == pytest.approx(50, rel=0.2)
    assert predict(made, [Part(0, 0.5)]).expected == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize(
    ("known", "expected", "interval"), [(0, False, False), (2, False, False), (3, True, False), (7, True, True)]
)
def test_too_few_days_are_said_to_be_too_few(known, expected, interval):
    predicted = predict([(number % 7, 10.0 + number) for number in range(known)], [Part(0, 1.0)])

    assert (predicted is not None) == expected
    assert (predicted is not None and predicted.low is not None) == interval


def test_days_that_cost_nothing_forecast_nothing():
    assert predict([(number % 7, 0.0) for number in range(20)], [Part(0, 1.0)])[:3] == (0, 0, 0)


async def test_a_month_is_forecast_from_the_ledger(ctx):
    await settle(ctx, *(entry(at_ns=JUNE_1 - number * DAY, nano_usd=700) for number in range(-9, 21)))

    found = await service.forecast(at(ctx, JUNE_1 + 10 * DAY))

    assert (found.month, found.spent, found.method, found.days) == ("2026-06", 7_000, "weekdays", 29)
    assert found.expected == pytest.approx(30 * 700, abs=2)
    assert found.low <= found.expected <= found.high
    assert found.spent <= found.low


async def test_a_month_that_is_over_is_what_it_cost_and_an_empty_ledger_says_nothing(ctx):
    empty = await service.forecast(at(ctx))
    await settle(ctx, entry(at_ns=JUNE_1 - DAY, nano_usd=5), entry(at_ns=JUNE_1, nano_usd=7))

    over = await service.forecast(at(ctx), "2026-05")
    soon = await service.forecast(at(ctx))

    assert (empty.expected, empty.low, empty.method) == (None, None, "none")
    assert (over.method, over.spent, over.expected, over.low, over.high) == ("over", 5, 5, 5, 5)
    assert (soon.spent, soon.expected, soon.days) == (7, None, 0)
    assert "nobody can say" in soon.told


async def test_a_forecast_may_be_of_one_function_alone(ctx):
    for name, cost in (("triage", 1_000), ("answer", 1)):
        await settle(
            ctx, *(entry(at_ns=JUNE_1 - number * DAY, function=name, nano_usd=cost) for number in range(1, 21))
        )

    found = await service.forecast(at(ctx, JUNE_1), "", Filters(function="answer"))

    assert found.expected == pytest.approx(30, abs=1)


@pytest.mark.parametrize("month", ["2026-07", "9999-12", "1969-12", "2026-13", "june", "2026-06-01", "0000-00", "\x00"])
async def test_a_month_that_is_none_or_lies_ahead_is_refused(ctx, month):
    with pytest.raises(CostsInvalidError):
        await service.forecast(at(ctx), month)


@pytest.mark.parametrize(
    ("said", "window"),
    [
        ({"last": "24h"}, Window(NOON - 23 * HOUR, NOON + HOUR)),
        ({"last": "month"}, Window(JUNE_1, NOON + HOUR)),
        ({"last": "last-month"}, Window(JUNE_1 - 31 * DAY, JUNE_1)),
        ({}, Window(NOON + HOUR - 30 * DAY, NOON + HOUR)),
        ({"since": "2026-05-01", "until": "2026-05-02"}, Window(JUNE_1 - 31 * DAY, JUNE_1 - 29 * DAY)),
        ({"since": "2026-06-01"}, Window(JUNE_1, NOON + HOUR)),
        ({"since": "2026-05-31", "until": "2999-01-01"}, Window(JUNE_1 - DAY, NOON + HOUR)),
    ],
)
async def test_windows_are_said_as_people_do(ctx, said, window):
    assert service.window_of(at(ctx), **said) == window


@pytest.mark.parametrize(
    "said",
    [
        {"last": "7d", "since": "2026-05-01"}, {"last": "0"}, {"last": "-7d"}, {"last": "999999w"}, {"since": "2026-06-01", "until": "2026-05-01"},
        {"since": "2027-01-01"}, {"since": "0001-01-01"}, {"since": "1969-01-01", "until": "1969-12-31"},
    ],
)  # fmt: skip
async def test_windows_that_are_none_are_refused(ctx, said):
    with pytest.raises(CostsInvalidError):
        service.window_of(at(ctx), **said)
