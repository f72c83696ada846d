"""What is kept of a kind of calls from one to the next lets none in by what is no more."""

import pytest
from leasing import BANK, ending_sooner, holds, lease, lost, purse_with, quota

from flyball.ledger.bank import LEASE_NS, RENEW_NS
from flyball.ledger.cover import NO_COVER, Cover
from flyball.ledger.records import NOTHING, Charge, Demand, Short, Take


def lease_of(reservation):
    [hold] = holds(reservation)
    return hold.lease


def let_in(purse, cover, amounts, now_ns=0):
    """As every call comes."""
    return purse.at_once(cover, amounts, now_ns) or purse.admit(cover.demands(amounts), now_ns)


def given_back(purse, first):
    purse.recall("q")
    purse.given_back(purse.idle(1, recalled=True))
    purse.receive(lease(100), asked_ns=1, now_ns=1)
    return 2


def over(_, first):
    return LEASE_NS // 2


@pytest.mark.parametrize("what", [lost, ending_sooner, given_back, over])
def test_a_lease_that_is_no_more_lets_no_call_in(what):
    first, second = lease(100, expires_ns=BANK + LEASE_NS // 2), lease(100)
    purse, cover = purse_with(first, second), Cover.of([quota()])
    assert lease_of(let_in(purse, cover, [40])) == lease_of(let_in(purse, cover, [40])) == first.id

    later = let_in(purse, cover, [20], what(purse, first))

    assert lease_of(later) != first.id


def test_calls_of_an_older_and_a_newer_snapshot_are_each_let_in_under_their_own_limit():
    purse, older, newer = purse_with(lease(100)), Cover.of([quota()]), Cover.of([quota(amount=500)])
    purse.admit([Demand(quota(), 1)], 0)
    assert purse.at_once(older, [10], 0)

    assert purse.at_once(newer, [10], 1) is None
    assert purse.admit(newer.demands([10]), 1) == Short((Take("q", 10, 21, 10),))

    assert purse.at_once(older, [10], 2) is None


def test_what_one_kind_of_calls_used_up_the_other_does_not_find():
    purse, one, other = purse_with(lease(100)), Cover.of([quota()]), Cover.of([quota()])
    purse.admit([Demand(quota(), 1)], 0)
    assert purse.at_once(one, [50], 0)

    assert purse.at_once(other, [50], 0) is None
    assert purse.free("q", 0) == 49


def test_the_cover_of_one_worker_lets_nobody_in_at_another():
    cover, here, there = Cover.of([quota()]), purse_with(lease(100)), purse_with()
    here.admit([Demand(quota(), 1)], 0)
    assert here.at_once(cover, [10], 0)

    assert there.at_once(cover, [10], 0) is None
    assert here.free("q", 0) == 89


def test_a_later_quota_that_is_short_leaves_the_first_ones_whole_and_another_lease_is_found():
    purse = purse_with(lease(100), lease(5, "r"), lease(100, "r"))
    one, two = quota(), quota("r", unit="requests")
    cover = Cover.of([one, two])
    first = let_in(purse, cover, [10, 4])

    second = let_in(purse, cover, [10, 4])

    assert [hold.amount for hold in holds(second)] == [10, 1, 3]  # what is split between two takes more thought
    assert holds(let_in(purse, cover, [10, 4]))[1].lease not in {hold.lease for hold in holds(first)}
    assert (purse.free("q", 0), purse.free("r", 0)) == (70, 93)
    assert purse.at_once(cover, [80, 1], 0) is None
    assert (purse.free("q", 0), purse.free("r", 0)) == (70, 93)


def test_how_fast_calls_come_is_known_of_those_that_were_let_in_by_a_cover():
    purse, cover = purse_with(lease(100)), Cover.of([quota()])
    purse.admit([Demand(quota(), 10)], 0)
    for _ in range(9):
        purse.at_once(cover, [10], 1)

    assert purse.at_once(cover, [10], 2) is None
    assert purse.admit([Demand(quota(), 10)], RENEW_NS // 4) == Short((Take("q", 10, 10 + 4 * 100, 10),))


def test_how_fast_calls_come_is_known_though_each_has_a_cover_of_its_own():
    purse = purse_with(lease(100))
    for _ in range(10):
        let_in(purse, Cover.of([quota()]), [10], 1)

    assert purse.admit([Demand(quota(), 10)], RENEW_NS // 4) == Short((Take("q", 10, 10 + 4 * 100, 10),))


def test_calls_count_for_the_stretch_in_which_they_came():
    purse, one, other = purse_with(lease(1_000)), Cover.of([quota()]), Cover.of([quota()])
    for _ in range(20):
        let_in(purse, one, [10], 1)
    let_in(purse, other, [10], RENEW_NS)
    let_in(purse, one, [10], RENEW_NS + 1)

    # 200 in the stretch before and 20 in this one: two calls are no pace of their own.
    assert purse.admit([Demand(quota(), 1_000)], RENEW_NS + 2) == Short((Take("q", 220, 220 + 220, 220),))


def test_what_it_paid_for_is_charged_to_its_lease():
    one = lease(100)
    purse, cover = purse_with(one), Cover.of([quota(), quota("p", unit="parallel", stop="soft")])
    purse.admit([Demand(quota(), 1)], 0)

    charges = purse.settle(purse.at_once(cover, [40], 0), {"nano_usd": 30, "requests": 1, "tokens": 9})

    assert charges == (Charge("q", one.id, 30),)
    assert purse.free("q", 0) == 69


def test_where_nothing_counts_a_call_there_is_nothing_to_promise():
    assert purse_with().at_once(NO_COVER, (), 0) is NOTHING
    assert purse_with().at_once(Cover.of([quota(stop="soft")]), (), 0) is NOTHING
