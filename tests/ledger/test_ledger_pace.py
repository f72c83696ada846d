"""How much is asked of the bank, and when: for what calls lack, for what runs out soon, by how fast they came."""

import pytest
from leasing import lease, purse_with, quota, standing

from flyball.ledger.bank import AGAIN_NS, RENEW_NS
from flyball.ledger.line import Line
from flyball.ledger.purse import Purse
from flyball.ledger.records import NOBODY, Demand, Reservation, Short, Take


def test_what_lacks_is_asked_for_and_as_much_more_as_was_used_lately():
    purse = purse_with(lease(100))
    for _ in range(3):
        purse.admit([Demand(quota(), 30)], 0)

    assert purse.admit([Demand(quota(), 30)], 0) == Short((Take("q", 20, 110, 20),))
    assert purse.admit([Demand(quota(), 30)], 2 * RENEW_NS) == Short((Take("q", 20, 20 + 90 // 2, 20),))


def test_where_the_bank_is_asked_anyway_it_is_asked_for_what_runs_out_soon():
    purse = purse_with(lease(100), lease(100, "r"), lease(400, "s"))
    demands = [Demand(quota(), 30), Demand(quota("r"), 25), Demand(quota("s"), 25), Demand(quota("t", stop="soft"), 1)]
    for _ in range(3):
        purse.admit(demands, 0)

    # Of "r" 25 are left and three calls took 75; of "s" there is plenty; nobody leases what stops nobody.
    assert purse.admit(demands, 0) == Short((Take("q", 20, 110, 20), Take("r", 1, 50, NOBODY)))
    assert purse.admit(demands, 3 * RENEW_NS) == Short((Take("q", 20, 20 + 90 // 4, 20),))


def test_many_calls_at_once_ask_for_what_a_second_of_them_takes():
    purse = purse_with(lease(80))
    for number in range(8):
        purse.admit([Demand(quota(), 10)], number)

    at_once, later = RENEW_NS // 100, RENEW_NS // 4
    assert purse.admit([Demand(quota(), 10)], at_once) == Short((Take("q", 10, 10 + 8 * 80, 10),))
    assert purse.admit([Demand(quota(), 10)], later) == Short((Take("q", 10, 10 + 4 * 80, 10),))


def test_one_dear_call_is_no_pace():
    purse = purse_with(lease(1_000))
    purse.admit([Demand(quota(), 1_000)], 0)

    assert purse.admit([Demand(quota(), 1)], RENEW_NS // 10) == Short((Take("q", 1, 1_001, 1),))


@pytest.mark.parametrize(("paused", "still"), [(1, 400), (2, 200), (3, 100), (4, 50), (9, 1), (10, 0), (10**9, 0)])
def test_a_pace_is_half_of_what_it_was_with_every_second_of_a_pause(paused, still):
    purse = purse_with(lease(400))
    for _ in range(4):
        purse.admit([Demand(quota(), 100)], 0)

    assert purse.admit([Demand(quota(), 7)], paused * RENEW_NS) == Short((Take("q", 7, 7 + still, 7),))
    then = paused * RENEW_NS
    purse.receive(lease(7), asked_ns=then, now_ns=then)  # which is no call, and forgets nothing
    assert purse.admit([Demand(quota(), 8)], then) == Short((Take("q", 1, 1 + still, 1),))


def test_after_a_pause_a_pace_is_measured_from_the_first_call():
    purse = purse_with(lease(1_000))
    purse.admit([Demand(quota(), 10)], 0)
    resumed = 3 * RENEW_NS + RENEW_NS // 2
    for _ in range(99):
        purse.admit([Demand(quota(), 10)], resumed)

    assert purse.admit([Demand(quota(), 20)], resumed + RENEW_NS // 4) == Short((Take("q", 20, 20 + 4 * 990, 20),))


def test_what_nobody_asked_for_lately_goes_back():
    one = lease(100)
    purse = purse_with(one)
    purse.settle(purse.admit([Demand(quota(), 60)], 0), {})

    assert purse.idle(4 * RENEW_NS - 1) == {}
    assert purse.idle(4 * RENEW_NS) == {one.id: 100}
    assert purse.free("q", 0) == 0


def test_places_of_parallel_calls_are_not_asked_for_ahead_since_they_come_back():
    places = quota("r", unit="parallel", window="total")
    purse = purse_with(lease(100), lease(4, "r"))
    for _ in range(3):
        purse.settle(purse.admit([Demand(quota(), 30), Demand(places, 1)], 0), {"nano_usd": 30})

    # One place was ever needed at once, although three calls took one; whoever held more would keep others out.
    assert purse.admit([Demand(quota(), 30), Demand(places, 1)], 0) == Short((Take("q", 20, 110, 20),))
    purse.admit([Demand(places, 1)], 0)
    purse.admit([Demand(places, 1)], 0)
    assert purse.admit([Demand(quota(), 30), Demand(places, 1)], 0) == Short((Take("q", 20, 110, 20),))


def short_of_q_and_soon_of_r():
    """A line with one call of which "q" lacks, and what it asks of the bank: that, and "r", of which half is left of what was used."""
    line = Line(purse_with(lease(60), lease(60, "r")))
    demands = [Demand(quota(), 45), Demand(quota("r"), 45)]
    line.join(demands, 0)
    waiting = line.join([Demand(quota(), 45), Demand(quota("r"), 5)], 0)
    _, takes = line.takes(0)
    assert takes == (Take("q", 30, 75, 30), Take("r", 1, 30, NOBODY))
    return line, waiting


def test_what_was_asked_ahead_and_not_granted_refuses_nobody():
    line, waiting = short_of_q_and_soon_of_r()
    late = line.join([Demand(quota("r"), 20)], 1)  # lacks by now what was asked for ahead

    done = line.answered({"q": lease(30), "r": standing(0, name="r")}, asked_ns=0, now_ns=2)

    assert done == [waiting]
    assert isinstance(waiting.outcome, Reservation)
    assert late.outcome is None
    assert line.takes(2) == ([], (Take("r", 10, 60, 10),))
    assert not line.purse.is_wanted


def test_what_one_call_lacks_and_another_asks_ahead_is_asked_once_as_what_it_lacks():
    line, _ = short_of_q_and_soon_of_r()
    line.join([Demand(quota("r"), 25)], 0)

    _, takes = line.takes(0)

    assert takes == (Take("q", 30, 75, 30), Take("r", 10, 55, 10))


def test_a_call_that_waits_for_what_is_recalled_asks_for_nothing_ahead_again():
    line, call = short_of_q_and_soon_of_r()
    line.answered({"q": standing(10, recalling=40), "r": lease(1, "r")}, asked_ns=0, now_ns=0)

    for now in range(AGAIN_NS, 5 * AGAIN_NS, AGAIN_NS):
        assert [take.quota for take in line.takes(now)[1]] == ["q"]
        assert line.answered({"q": standing(10, recalling=40)}, asked_ns=now, now_ns=now) == []

    assert call.outcome is None


def running_low(calls=9, amount=10, held=100, amount_of_all=10**9, **differently):
    """A purse of which so many calls have taken, and what it was told."""
    told = []
    purse = Purse(on_low=told.append)
    purse.receive(lease(held), asked_ns=0, now_ns=0)
    for _ in range(calls):
        purse.admit([Demand(quota(amount=amount_of_all, **differently), amount)], 0)
    return purse, told


def large():
    return quota(amount=10**9)


def test_what_runs_out_soon_is_asked_for_before_calls_wait_for_it():
    purse, told = running_low()
    assert not told

    assert isinstance(purse.admit([Demand(large(), 1)], RENEW_NS // 2), Reservation)

    assert told == ["q"]
    assert purse.ahead("q", RENEW_NS // 2) == Take("q", 1, 2 * 91 - 9, NOBODY)


def test_what_runs_out_soon_is_asked_for_at_most_four_times_a_second():
    purse, told = running_low(calls=12, amount=5, held=65)

    for now in range(RENEW_NS // 2, RENEW_NS + RENEW_NS // 2 + 1, RENEW_NS // 100):
        purse.admit([Demand(large(), 0)], now)  # as if nothing of it were granted

    assert len(told) == 4


def test_what_lasts_longer_is_not_asked_for():
    purse, told = running_low(held=1_000)

    for now in range(0, 3 * RENEW_NS, RENEW_NS // 10):
        purse.admit([Demand(large(), 1)], now)

    assert not told


def test_of_one_who_calls_now_and_then_the_next_call_finds_what_it_needs():
    purse, told = running_low(calls=1, held=30)
    purse.admit([Demand(large(), 10)], RENEW_NS)
    assert not told

    purse.admit([Demand(large(), 10)], 2 * RENEW_NS)

    assert told == ["q"]
    assert purse.ahead("q", 2 * RENEW_NS) == Take("q", 1, 20, NOBODY)


def test_places_of_parallel_calls_never_run_low():
    _, told = running_low(calls=90, amount=1, unit="parallel")

    assert not told


def test_the_line_asks_for_what_runs_low_though_nobody_waits_and_once():
    purse, _ = running_low()
    woken = []
    line = Line(purse, on_low=lambda: woken.append(1))
    line.join([Demand(large(), 1)], RENEW_NS // 2)

    assert woken == [1]
    assert line.due_ns() == 0
    assert line.takes(RENEW_NS // 2) == ([], (Take("q", 1, 2 * 91 - 9, NOBODY),))
    assert line.due_ns() is None
    assert line.answered({"q": standing(0)}, asked_ns=0, now_ns=RENEW_NS) == []
    assert not purse.is_wanted


def test_a_call_that_comes_short_of_what_runs_low_asks_for_itself():
    purse, _ = running_low()
    line = Line(purse)
    line.join([Demand(large(), 1)], RENEW_NS // 2)
    line.join([Demand(large(), 30)], RENEW_NS // 2)

    assert line.takes(RENEW_NS // 2) == ([], (Take("q", 21, 21 + 2 * 91, 21),))


def test_of_what_is_scarce_nothing_is_asked_for_ahead_until_it_is_plenty_again():
    purse, told = running_low()
    line = Line(purse)
    purse.on_low = told.append
    line.join([Demand(large(), 20)], 0)
    told.clear()
    (take,) = line.takes(0)[1]
    line.answered({"q": lease(take.most - 1)}, asked_ns=0, now_ns=0)

    purse.admit([Demand(large(), purse.free("q", 0) - 1)], 0)
    purse.admit([Demand(large(), 1)], RENEW_NS // 2)
    assert not told

    line.join([Demand(large(), 20)], RENEW_NS // 2)
    (take,) = line.takes(RENEW_NS // 2)[1]
    line.answered({"q": lease(take.most)}, asked_ns=0, now_ns=RENEW_NS // 2)
    purse.admit([Demand(large(), purse.free("q", 0) - 1)], RENEW_NS)
    assert set(told) == {"q"}


@pytest.mark.parametrize(("amount", "asks"), [(64 * 180, ["q"]), (64 * 180 - 1, [])])
def test_of_a_small_quota_nothing_is_asked_for_ahead(amount, asks):
    purse, told = running_low(amount_of_all=amount)

    purse.admit([Demand(quota(amount=amount), 1)], RENEW_NS // 2)

    assert told == asks
