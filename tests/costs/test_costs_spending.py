"""What was spent in a window, by any dimension: the same as the ledger's entries add up to."""

import random

import pytest
from spending_calls import DAY, HOUR, NOON, at, entry, settle

from flyball.costs import service, store
from flyball.costs.asking import BYS
from flyball.costs.errors import CostsInvalidError
from flyball.costs.records import Filters, Window
from flyball.projects import keys
from flyball.projects.errors import KeyNotFoundError

WEEK = Window(NOON - 7 * DAY, NOON + HOUR)


def some_entries(chance, key):
    return [
        entry(
            at_ns=NOON + HOUR // 3 - chance.randrange(10 * DAY),
            key_id=chance.choice([None, key]),
            function=chance.choice([None, "triage", "answer"]),
            variant=chance.choice([None, "small", "big"]),
            model=chance.choice([None, "fast", "slow"]),
            release=chance.choice([None, "rel_1"]),
            provider=chance.choice(["openai", "anthropic"]),
            state=chance.choice(["complete", "failed", "cancelled"]),
            tags=tuple(chance.choices(["a", "b", "c"], k=chance.randrange(4))),
            nano_usd=chance.choice([None, 5, 7, 10**9]),
            output_tokens=chance.randrange(50),
            estimated=chance.random() < 0.3,
            requests=chance.choice([0, 1]),
        )
        for _ in range(300)
    ]


def inside(entries, window=WEEK):
    return [each for each in entries if window.since_ns <= each.at_ns < window.until_ns]


def summed(entries):
    return (sum(each.nano_usd or 0 for each in entries), sum(each.requests for each in entries), sum(each.tokens for each in entries), len(entries), sum(each.nano_usd is None for each in entries), sum(each.estimated for each in entries))  # fmt: skip


def told(sums):
    return (sums.nano_usd, sums.requests, sums.tokens, sums.entries, sums.unpriced, sums.estimated)


VALUE = {
    "project": lambda each: [each.project],
    "key": lambda each: [each.key_id or ""],
    "variant": lambda each: [(each.variant or "", each.function or "")],
    "tag": lambda each: sorted(set(each.tags)) or [""],
}


@pytest.mark.parametrize("by", BYS)
async def test_spend_by_any_dimension_is_what_the_entries_add_up_to(ctx, by):
    key = (await keys.create_key(ctx, "desk")).key
    entries = inside(await settle(ctx, *some_entries(random.Random(3), key.line)))
    expected = {}
    for each in entries:
        for name in VALUE.get(by, lambda each: [getattr(each, by) or ""])(each):
            expected.setdefault(name, []).append(each)

    found = await service.spend(at(ctx), WEEK, by)

    assert {(row.id, row.of) if by == "variant" else row.id: told(row.sums) for row in found.rows} == {
        name: summed(each) for name, each in expected.items()
    }
    assert told(found.total) == summed(entries)
    assert found.names == len(expected)
    assert sum(point.nano_usd for point in found.series) == found.total.nano_usd
    if by == "key":
        assert {row.name for row in found.rows} == {"", "desk"}
    if by == "project":
        assert [row.name for row in found.rows] == ["default"]


@pytest.mark.parametrize(
    ("by", "filters"),
    [
        ("key", Filters()), ("member", Filters(release="rel_1")), ("tag", Filters()), ("tag", Filters(model="fast")),
        ("model", Filters(tag="a")), ("state", Filters(key="desk")), ("variant", Filters(tag="b")), ("tag", Filters(key="desk")),
    ],
)  # fmt: skip
async def test_a_window_that_begins_and_ends_in_the_middle_of_days_is_exact_from_whichever_sums_it_is_read(
    ctx, by, filters
):
    key = (await keys.create_key(ctx, "desk")).key
    entries = await settle(ctx, *some_entries(random.Random(5), key.line))
    means = {"key": lambda each: each.key_id == key.line, "tag": lambda each: filters.tag in each.tags}
    for name in Filters.__struct_fields__:
        if value := getattr(filters, name):
            meant = means.get(name, lambda each, name=name, value=value: getattr(each, name) == value)
            entries = [each for each in entries if meant(each)]
    for began, ended in ((3, 100), (9, 110), (21, 95), (12, 120), (15, 25), (2, 47), (24, 96)):
        window = Window(NOON - 8 * DAY + began * HOUR, NOON - 8 * DAY + ended * HOUR)
        expected = {}
        for each in inside(entries, window):
            for name in VALUE.get(by, lambda each: [getattr(each, by) or ""])(each):
                expected.setdefault(name, []).append(each)

        found = await service.spend(at(ctx), window, by, filters)

        assert {(row.id, row.of) if by == "variant" else row.id: told(row.sums) for row in found.rows} == {
            name: summed(each) for name, each in expected.items()
        }
        assert told(found.total) == summed(inside(entries, window))
        assert sum(point.nano_usd for point in found.series) == found.total.nano_usd


async def test_a_name_that_stands_in_the_rest_of_a_day_alone_is_not_shown(ctx):
    await settle(ctx, entry(model="early", at_ns=NOON - 2 * DAY - HOUR), entry(model="late", at_ns=NOON + 2 * HOUR))
    await settle(ctx, entry(model="meant", at_ns=NOON - DAY))

    for hours in range(-1, 3):
        found = await service.spend(at(ctx, NOON + DAY), Window(NOON - 2 * DAY, NOON + hours * HOUR))

        assert [row.name for row in found.rows] == ["meant"]
        assert found.names == 1


async def test_filters_narrow_and_may_be_combined_with_any_dimension(ctx):
    key = (await keys.create_key(ctx, "desk")).key
    entries = inside(await settle(ctx, *some_entries(random.Random(4), key.line)))
    filters = Filters(key="desk", function="triage", tag="a", state="complete")

    found = await service.spend(at(ctx), WEEK, "model", filters)

    wanted = [
        e for e in entries if (e.key_id, e.function, e.state) == (key.line, "triage", "complete") and "a" in e.tags
    ]
    assert wanted
    assert told(found.total) == summed(wanted)
    assert found.notes == ()


async def test_what_does_not_fit_on_a_page_is_added_up(ctx):
    await settle(ctx, *(entry(model=f"m{number}", nano_usd=number) for number in range(10)))

    found = await service.spend(at(ctx), WEEK, "model", limit=3)

    assert [row.name for row in found.rows] == ["m9", "m8", "m7"]
    assert (found.names, found.others.nano_usd, found.total.nano_usd) == (10, 21, 45)


async def test_a_short_window_is_shown_by_hours_and_one_in_the_middle_of_a_day_is_exact(ctx):
    await settle(
        ctx, entry(at_ns=NOON - 1, nano_usd=1), entry(at_ns=NOON, nano_usd=2), entry(at_ns=NOON - 2 * DAY, nano_usd=4)
    )

    short = await service.spend(at(ctx), Window(NOON - HOUR, NOON + HOUR))
    cut = await service.spend(at(ctx), Window(NOON - 5 * DAY, NOON))

    assert [(point.at_ns, point.nano_usd) for point in short.series] == [(NOON - HOUR, 1), (NOON, 2)]
    assert (cut.step, cut.total.nano_usd, len(cut.series)) == ("day", 5, 6)


async def test_a_name_that_no_call_has_named_is_told_with_those_alike_and_a_missing_key_is_an_error(ctx):
    await settle(ctx, entry(function="triage"))

    found = await service.spend(at(ctx), WEEK, "model", Filters(function="triag"))

    assert found.total.entries == 0
    assert found.notes == ("no call has named the function 'triag' yet; calls so far named 'triage'",)
    with pytest.raises(KeyNotFoundError, match="bakend"):
        await service.spend(at(ctx), WEEK, "model", Filters(key="bakend"))


@pytest.mark.parametrize(
    "window",
    [
        Window(NOON, NOON - HOUR), Window(NOON, NOON), Window(-1, NOON), Window(0, 2**63), Window(NOON + 2 * HOUR, NOON + 3 * HOUR),
        Window(0, NOON), Window(2**63, 2**64),
    ],
)  # fmt: skip
async def test_a_window_that_is_none_is_refused(ctx, window):
    with pytest.raises(CostsInvalidError):
        await service.spend(at(ctx), window)


@pytest.mark.parametrize(
    "filters", [Filters(function="a\x00b"), Filters(tag="x" * 201), Filters(state="gone"), Filters(project="other")]
)
async def test_a_name_that_none_can_be_is_refused(ctx, filters):
    with pytest.raises(CostsInvalidError):
        await service.spend(at(ctx), WEEK, "model", filters)


async def test_a_dimension_that_is_none_is_refused_with_the_one_that_was_meant(ctx):
    with pytest.raises(CostsInvalidError, match="did you mean 'model'"):
        await service.spend(at(ctx), WEEK, "modle")


async def test_a_far_future_end_is_cut_at_this_hour(ctx):
    found = await service.spend(at(ctx), Window(NOON - DAY, 2**61))

    assert found.window == Window(NOON - DAY, NOON + HOUR)


async def test_what_settles_between_two_questions_is_in_both_or_in_neither(ctx, monkeypatch):
    await settle(ctx, entry(tags=("a",), nano_usd=1), entry(nano_usd=2))
    grouped = store.grouped

    async def grouped_while_somebody_settles(*asked, **more):
        await settle(ctx, entry(tags=("a",), nano_usd=100))
        return await grouped(*asked, **more)

    monkeypatch.setattr(store, "grouped", grouped_while_somebody_settles)
    found = await service.spend(at(ctx), WEEK, "tag")

    assert sum(row.sums.nano_usd for row in found.rows) == found.total.nano_usd
    assert {row.name: row.sums.nano_usd for row in found.rows} == {"a": 101, "": 2}
