"""One suite over every bank: the meaning of each verb of `flyball.ledger.bank.Bank`.

A house of a bank has `bank`, and the verbs `declare(quota)`, `remove(quota_id)`: what declares quotas beside it.
"""

from functools import partial
from types import SimpleNamespace

import msgspec
import pytest
from declaring import declare, make_projects, remove
from memory_bank import MemoryBank

from flyball.ledger.bank import LEASE_NS, RENEW_NS, SECOND, SURPLUS, WANTED_NS
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.records import NOBODY, UNLEASED, Charge, Entry, Lease, Quota, Standing, Take

NOON = 1_780_315_200 * SECOND  # 2026-06-01 12:00 UTC, a Monday
A, B, C = "worker-a", "worker-b", "worker-c"


@pytest.fixture(params=["memory", "postgres"])
def house(request):
    return request.getfixturevalue(f"{request.param}_house")


@pytest.fixture
def memory_house():
    bank = MemoryBank(lambda: NOON)
    return SimpleNamespace(bank=bank, declare=bank.declare, remove=bank.remove)


@pytest.fixture
async def postgres_house(database):
    await make_projects(database, {"pro": "org", "another": "another"})
    return SimpleNamespace(
        bank=PostgresBank(database),
        declare=partial(declare, database),
        remove=partial(remove, database, now_ns=NOON),
    )


def quota(**differently):
    plain = {
        "id": "q",
        "organisation": "org",
        "project": "pro",
        "unit": "nano_usd",
        "scope_kind": "project",
        "amount": 1_000,
        "window": "day",
    }
    return Quota(**plain | differently)


_ids = iter(range(10**9))


def entry(**differently):
    plain = {"id": f"{next(_ids):016x}", "organisation": "org", "project": "pro", "at_ns": NOON, "nano_usd": 0}
    return Entry(**plain | differently)


async def stands(house, now_ns=NOON, name="q"):
    return (await house.bank.standings([name], now_ns))[name]


async def take(house, worker, least, most=None, *, need=0, now_ns=NOON, name="q"):
    answers = await house.bank.take(worker, [Take(name, least, least if most is None else most, need)], now_ns)
    return answers[name]


# -- take


async def test_a_lease_is_granted_and_counts_at_once(house):
    await house.declare(quota())

    lease = await take(house, A, 10)

    assert (lease.quota, lease.worker, lease.amount, lease.wanted) == ("q", A, 10, False)
    assert (lease.granted_ns, lease.life_ns, lease.window_ns) == (NOON, LEASE_NS, NOON - 12 * 3600 * SECOND)
    assert (await stands(house))[:4] == ("q", 1_000, 0, 10)


async def test_a_grant_above_the_need_is_at_most_a_part_of_what_stays_free(house):
    await house.declare(quota())

    assert (await take(house, A, 200, 1_000)).amount == 200 + 800 // SURPLUS
    assert (await take(house, A, 1, 5, need=4)).amount == 5
    assert (await take(house, B, 10, 1_000, need=1_000)).amount == 1_000 - 300 - 5


async def test_the_least_is_granted_whole_or_nothing_is(house):
    await house.declare(quota())
    await take(house, A, 995)

    refused = await take(house, B, 6, 100)

    assert isinstance(refused, Standing)
    assert (refused.limit, refused.settled, refused.leased, refused.free) == (1_000, 0, 995, 5)
    assert isinstance(await take(house, B, 5), Lease)
    assert (await stands(house)).leased == 1_000


async def test_takes_of_one_batch_are_answered_each_for_itself(house):
    await house.declare(quota())
    await house.declare(quota(id="r", unit="requests", amount=0))

    answers = await house.bank.take(A, [Take("q", 1, 1), Take("r", 1, 1), Take("nobody's", 1, 1)], NOON)

    assert isinstance(answers["q"], Lease)
    assert isinstance(answers["r"], Standing)
    assert set(answers) == {"q", "r"}


async def test_nothing_at_all_may_be_taken_of_a_quota_of_zero(house):
    await house.declare(quota(amount=0))

    refused = await take(house, A, 1)

    assert (refused.limit, refused.free, refused.frees_ns) == (0, 0, None)


async def test_a_lease_ends_with_its_calendar_window(house):
    await house.declare(quota(window="minute"))

    lease = await take(house, A, 1, now_ns=NOON + 57 * SECOND)

    assert lease.life_ns == 3 * SECOND
    assert (await stands(house, NOON + 60 * SECOND))[2:5] == (0, 0, NOON + 60 * SECOND)


async def test_an_expired_lease_refuses_nobody_even_before_it_is_reaped(house):
    await house.declare(quota())
    await take(house, A, 1_000)

    assert isinstance(await take(house, B, 1, now_ns=NOON + LEASE_NS - 1), Standing)
    assert isinstance(await take(house, B, 1_000, now_ns=NOON + LEASE_NS), Lease)


async def test_a_refusal_says_when_it_may_fit(house):
    await house.declare(quota(window="hour"))
    await house.bank.settle([entry(nano_usd=900)], NOON)
    lease = await take(house, A, 60)

    assert (await take(house, B, 100)).frees_ns == lease.expires_ns
    assert (await take(house, B, 101)).frees_ns == NOON + 3_600 * SECOND
    assert (await take(house, B, 1_001)).frees_ns is None


async def test_a_total_that_is_spent_never_frees(house):
    await house.declare(quota(window="total"))
    await house.bank.settle([entry(nano_usd=1_000)], NOON)

    assert (await take(house, A, 1)).frees_ns is None


# -- recall


async def test_a_refusal_recalls_what_other_workers_hold_until_they_have_answered(house):
    await house.declare(quota())
    await take(house, A, 300)
    mine, theirs = await take(house, B, 400), await take(house, C, 300)

    assert (await take(house, A, 1)).recalling == 700
    await house.bank.give_back(B, {mine.id: 0}, NOON)
    assert (await take(house, A, 1)).recalling == 300
    await house.bank.give_back(C, {theirs.id: 20}, NOON)
    assert (await take(house, A, 21)).recalling == 0
    assert (await take(house, A, 20)).amount == 20


async def test_while_it_is_wanted_nobody_gets_more_than_the_need(house):
    await house.declare(quota())
    lease = await take(house, A, 1_000)
    await take(house, B, 1)
    await house.bank.give_back(A, {lease.id: 900}, NOON)

    granted = await take(house, B, 3, 500, need=7, now_ns=NOON + WANTED_NS - 1)

    assert (granted.amount, granted.wanted) == (7, True)
    assert (await take(house, B, 1, 500, now_ns=NOON + WANTED_NS)).amount > 1


async def test_what_no_call_waits_for_yet_is_granted_and_a_refusal_of_it_makes_nothing_wanted(house):
    await house.declare(quota(amount=100))

    lease = await take(house, A, 1, 9, need=NOBODY)
    assert lease.amount == 9
    await take(house, B, 91)
    refused = await take(house, A, 1, 9, need=NOBODY)

    assert (refused.limit, refused.leased, refused.free, refused.frees_ns) == (100, 100, 0, None)
    assert not (await house.bank.renew(A, [lease.id], NOON))[lease.id].wanted


async def test_what_no_call_waits_for_yet_is_not_granted_while_others_wait(house):
    await house.declare(quota(amount=100))
    await take(house, B, 90)
    await take(house, C, 20)  # refused

    assert isinstance(await take(house, A, 1, 9, need=NOBODY), Standing)
    assert (await take(house, C, 10)).amount == 10


async def test_a_renewal_says_that_a_lease_is_wanted_and_when_it_no_longer_is(house):
    await house.declare(quota())
    lease = await take(house, A, 1_000)
    await take(house, B, 1)

    assert (await house.bank.renew(A, [lease.id], NOON + RENEW_NS))[lease.id].wanted
    assert not (await house.bank.renew(A, [lease.id], NOON + WANTED_NS))[lease.id].wanted


async def test_a_promise_ends_with_a_renewal_while_nobody_wants(house):
    await house.declare(quota())
    lease = await take(house, A, 1_000)
    await take(house, B, 1)
    await house.bank.give_back(A, {lease.id: 0}, NOON)

    await house.bank.renew(A, [lease.id], NOON + RENEW_NS)
    assert (await take(house, B, 1, now_ns=NOON + RENEW_NS)).recalling == 0
    await house.bank.renew(A, [lease.id], NOON + RENEW_NS + WANTED_NS)
    assert (await take(house, B, 1, now_ns=NOON + RENEW_NS + WANTED_NS)).recalling == 1_000


async def test_giving_back_unasked_is_no_promise(house):
    await house.declare(quota())
    lease = await take(house, A, 1_000)
    await house.bank.give_back(A, {lease.id: 10}, NOON)

    assert (await take(house, B, 11)).recalling == 990


# -- renew


async def test_a_renewed_lease_lives_on_and_one_not_named_does_not(house):
    await house.declare(quota())
    kept, left = await take(house, A, 10), await take(house, A, 20)
    later = NOON + 6 * SECOND

    renewed = await house.bank.renew(A, [kept.id], later)

    assert set(renewed) == {kept.id}
    assert (renewed[kept.id].amount, renewed[kept.id].expires_ns) == (10, later + LEASE_NS)
    assert (await stands(house, left.expires_ns)).leased == 10


async def test_a_dead_lease_and_another_workers_are_not_renewed(house):
    await house.declare(quota())
    lease = await take(house, A, 10)

    assert await house.bank.renew(B, [lease.id, "nobody's"], NOON) == {}
    assert await house.bank.renew(A, [lease.id], lease.expires_ns) == {}


async def test_a_renewed_lease_does_not_outlive_its_window(house):
    await house.declare(quota(window="minute"))
    lease = await take(house, A, 10, now_ns=NOON + 45 * SECOND)

    assert (await house.bank.renew(A, [lease.id], NOON + 49 * SECOND))[lease.id].expires_ns == NOON + 59 * SECOND
    assert (await house.bank.renew(A, [lease.id], NOON + 54 * SECOND))[lease.id].expires_ns == NOON + 60 * SECOND


async def test_a_clock_that_is_set_back_gives_no_lease_more_time(house):
    await house.declare(quota())
    renewed, left = [await take(house, A, 10, now_ns=NOON + 3_600 * SECOND) for _ in range(2)]

    again = (await house.bank.renew(A, [renewed.id], NOON))[renewed.id]
    await house.bank.reap(NOON)

    assert (again.granted_ns, again.expires_ns) == (NOON, NOON + LEASE_NS)
    assert await house.bank.reap(NOON + LEASE_NS) == 2
    assert (await stands(house, NOON + LEASE_NS)).leased == 0
    assert await house.bank.renew(A, [left.id], NOON) == {}


@pytest.mark.parametrize("window", ["day", "rolling:60"])
async def test_a_lease_of_a_window_that_lies_ahead_again_is_gone(house, window):
    await house.declare(quota(window=window))
    tomorrow = NOON + 86_400 * SECOND
    lease = await take(house, A, 10, now_ns=tomorrow)

    assert bool(await house.bank.renew(A, [lease.id], NOON)) == (window == "rolling:60")


# -- give back


async def test_what_is_given_back_is_free_and_telling_twice_gives_once(house):
    await house.declare(quota())
    lease = await take(house, A, 100)

    for total in (30, 30, 50, 30):
        await house.bank.give_back(A, {lease.id: total}, NOON)

    assert (await stands(house)).leased == 50


async def test_nothing_is_given_back_twice_by_strangers_or_from_the_dead(house):
    await house.declare(quota())
    lease = await take(house, A, 100)

    await house.bank.give_back(B, {lease.id: 100, "nobody's": 5}, NOON)
    assert (await stands(house)).leased == 100
    await house.bank.give_back(A, {lease.id: 1_000}, NOON)
    assert (await stands(house)).leased == 0


# -- settle


async def test_settling_moves_from_the_lease_to_what_is_settled(house):
    await house.declare(quota())
    lease = await take(house, A, 100)

    await house.bank.settle([entry(nano_usd=30, charges=(Charge("q", lease.id, 30),))], NOON)

    assert (await stands(house))[2:4] == (30, 70)


async def test_an_entry_settles_once_whoever_delivers_it(house):
    await house.declare(quota())
    lease = await take(house, A, 100)
    one = entry(nano_usd=30, charges=(Charge("q", lease.id, 30),))

    await house.bank.settle([one, one], NOON)
    await house.bank.settle([one], NOON)

    assert (await stands(house))[2:4] == (30, 70)


async def test_an_excess_is_settled_and_takes_no_more_than_the_lease_has(house):
    await house.declare(quota())
    lease = await take(house, A, 100)

    await house.bank.settle([entry(nano_usd=130, charges=(Charge("q", lease.id, 130),))], NOON)

    assert (await stands(house))[2:4] == (130, 0)


async def test_what_no_live_lease_covers_is_settled_all_the_same(house):
    await house.declare(quota())
    dead = await take(house, A, 100)
    charges = (Charge("q", dead.id, 40), Charge("q", UNLEASED, 2), Charge("nobody's", "nobody's", 1))

    await house.bank.settle([entry(nano_usd=42, charges=charges)], dead.expires_ns)

    assert (await stands(house, dead.expires_ns))[2:4] == (42, 0)


async def test_an_entry_counts_in_the_window_in_which_it_was_admitted(house):
    await house.declare(quota(window="minute"))

    await house.bank.settle([entry(nano_usd=7, at_ns=NOON - 1)], NOON + SECOND)

    assert (await stands(house)).settled == 0
    assert (await stands(house, NOON - 1)).settled == 7


async def test_every_quota_that_covers_an_entry_counts_it_in_its_own_unit(house):
    differently = {
        "org": {"project": None, "scope_kind": "organisation"},
        "key": {"scope_kind": "key", "scope": "k1", "unit": "requests"},
        "other-key": {"scope_kind": "key", "scope": "k2"},
        "member": {"scope_kind": "member", "scope": "ada"},
        "function": {"scope_kind": "function", "scope": "triage"},
        "model": {"scope_kind": "model", "scope": "fast", "unit": "tokens"},
        "tag": {"scope_kind": "tag", "scope": "team=blue"},
        "parallel": {"unit": "parallel", "window": "total"},
        "other-project": {"project": "another"},
        "other-org": {"organisation": "another", "project": None, "scope_kind": "organisation"},
    }
    for name, difference in differently.items():
        await house.declare(quota(id=name, **difference))
    one = entry(
        nano_usd=5,
        input_tokens=10,
        cache_read_tokens=20,
        cache_write_tokens=30,
        cache_write_1h_tokens=40,
        audio_input_tokens=50,
        output_tokens=60,
        reasoning_tokens=70,
        audio_output_tokens=80,
        web_searches=9,
        key_id="k1",
        member="ada",
        function="triage",
        model="fast",
        tags=("team=blue", "other"),
    )

    await house.bank.settle([one, entry(nano_usd=None, requests=0)], NOON)

    standings = await house.bank.standings(list(differently), NOON)
    assert {name: standing.settled for name, standing in standings.items()} == {
        "org": 5,
        "key": 1,
        "other-key": 0,
        "member": 5,
        "function": 5,
        "model": 360,
        "tag": 5,
        "parallel": 0,
        "other-project": 0,
        "other-org": 0,
    }


# -- rolling windows


async def test_a_rolling_window_frees_bucket_by_bucket_never_early(house):
    await house.declare(quota(window="rolling:3600"))
    bucket = 60 * SECOND
    await house.bank.settle([entry(nano_usd=400, at_ns=NOON), entry(nano_usd=600, at_ns=NOON + bucket)], NOON)
    hour = 3_600 * SECOND

    assert (await take(house, A, 1, now_ns=NOON + 1)).frees_ns == NOON + hour + bucket
    assert (await take(house, A, 401, now_ns=NOON + 1)).frees_ns == NOON + hour + 2 * bucket
    assert (await stands(house, NOON + hour + bucket - 1)).settled == 1_000
    assert (await stands(house, NOON + hour + bucket)).settled == 600
    assert (await stands(house, NOON + hour + 2 * bucket)).settled == 0


async def test_a_lease_of_a_rolling_window_counts_whichever_bucket_it_is_from(house):
    await house.declare(quota(window="rolling:60"))
    lease = await take(house, A, 1_000)

    assert lease.life_ns == LEASE_NS
    assert (await take(house, B, 1, now_ns=NOON + 5 * SECOND)).leased == 1_000


# -- quotas that change


async def test_a_limit_lowered_below_what_is_used_refuses_until_it_is_less(house):
    await house.declare(quota())
    lease = await take(house, A, 600)
    await house.declare(quota(amount=500, version=2))

    assert (await take(house, B, 1))[1:4] == (500, 0, 600)
    assert (await stands(house)).free == 0
    await house.bank.give_back(A, {lease.id: 101}, NOON)
    assert (await take(house, B, 1)).amount == 1


async def test_a_quota_made_in_the_middle_counts_what_was_spent_since_its_window_began(house):
    entries = [entry(nano_usd=9), entry(nano_usd=5, at_ns=NOON - 12 * 3600 * SECOND - 1)]
    await house.bank.settle(entries, NOON)

    await house.declare(quota())

    assert (await stands(house)).settled == 9


async def test_a_quota_that_is_removed_takes_its_leases_along(house):
    await house.declare(quota())
    lease = await take(house, A, 10)

    await house.remove("q")

    assert await house.bank.take(A, [Take("q", 1, 1)], NOON) == {}
    assert await house.bank.renew(A, [lease.id], NOON) == {}
    assert await house.bank.standings(["q"], NOON) == {}
    await house.bank.give_back(A, {lease.id: 1}, NOON)
    await house.bank.settle([entry(nano_usd=1, charges=(Charge("q", lease.id, 1),))], NOON)


# -- reap


async def test_reaping_ends_what_has_expired_and_nothing_else(house):
    await house.declare(quota())
    await take(house, A, 10)
    await take(house, B, 20, now_ns=NOON + SECOND)

    assert await house.bank.reap(NOON + LEASE_NS - 1) == 0
    assert await house.bank.reap(NOON + LEASE_NS) == 1
    assert (await stands(house, NOON + LEASE_NS)).leased == 20
    assert await house.bank.reap(NOON + LEASE_NS) == 0


async def test_parallel_calls_are_counted_by_their_leases_alone(house):
    await house.declare(quota(unit="parallel", window="total", amount=2))
    lease = await take(house, A, 2)

    assert isinstance(await take(house, B, 1), Standing)
    await house.bank.settle([entry(nano_usd=50)], NOON)
    await house.bank.give_back(A, {lease.id: 1}, NOON)
    assert msgspec.structs.asdict(await take(house, B, 1))["amount"] == 1
