"""What a worker holds: all levels or none, money to the unit, settled once; and the calls that wait for more."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from leasing import BANK, ending_sooner, holds, lease, lost, purse_with, quota, reserved, standing

from flyball.ledger.bank import AGAIN_NS, AWAY_NS, LEASE_NS, PATIENCE_NS, RENEW_NS, SECOND, WANTED_NS
from flyball.ledger.cover import Cover
from flyball.ledger.line import LONGEST_NS, Line, Refusal, Waiting
from flyball.ledger.purse import Purse
from flyball.ledger.records import NOBODY, UNLEASED, Charge, Demand, Reservation, Short, Take


def test_a_call_is_admitted_from_what_is_held_and_charged_what_it_used():
    one = lease(100)
    purse = purse_with(one)

    reservation = purse.admit([Demand(quota(), 60)], 5)
    assert purse.free("q", 5) == 40
    charges = purse.settle(reservation, {"nano_usd": 45})

    assert charges == (Charge("q", one.id, 45),)
    assert purse.free("q", 5) == 55
    assert reservation.at_ns == BANK + 5


def test_a_call_that_is_short_on_one_level_reserves_nothing_on_any():
    purse = purse_with(lease(100), lease(3, "r"))
    demands = [Demand(quota(), 60), Demand(quota("r", unit="requests"), 1), Demand(quota("s", unit="tokens"), 5)]

    assert purse.admit(demands, 0) == Short((Take("s", 5, 5, 5),))
    assert (purse.free("q", 0), purse.free("r", 0)) == (100, 3)


def test_what_was_reserved_of_the_first_quotas_is_put_back_whole_where_a_later_one_is_short_paces_included():
    purse = purse_with(lease(100), lease(100, "r"), lease(3, "s"))
    purse.admit([Demand(quota(), 7)], 0)
    one, two, three = quota(), quota("r", unit="tokens"), quota("s", unit="requests")

    for _ in range(9):
        assert isinstance(purse.admit([Demand(one, 60), Demand(two, 50), Demand(three, 4)], 1), Short)

    assert [purse.free(name, 1) for name in "qrs"] == [93, 100, 3]
    assert purse.admit([Demand(one, 100)], 1) == Short((Take("q", 7, 7 + 7, 7),))
    assert purse.admit([Demand(two, 110)], 1) == Short((Take("r", 10, 10, 10),))


def emptied(purse, first):
    purse.admit([Demand(quota(), first.amount - 40)], 1)
    return 2


@pytest.mark.parametrize("what", [lambda *_: LEASE_NS // 2, lost, ending_sooner, emptied])
def test_calls_go_on_by_the_next_lease_once_the_one_that_let_them_in_does_no_more(what):
    first, second = lease(100, expires_ns=BANK + LEASE_NS // 2), lease(100)
    purse = purse_with(first, second)
    before = purse.admit([Demand(quota(), 40)], 0)

    after = purse.admit([Demand(quota(), 40)], what(purse, first))

    assert [hold.lease for hold in holds(before)] == [first.id]
    assert [hold.lease for hold in holds(after)] == [second.id]


def test_what_let_calls_in_lets_none_in_under_a_lowered_limit_and_the_next_lease_does():
    purse, lowered = purse_with(lease(100)), quota(amount=500)
    purse.admit([Demand(quota(), 40)], 0)

    assert purse.admit([Demand(lowered, 40)], 1) == Short((Take("q", 40, 80, 40),))
    purse.receive(later := lease(100), asked_ns=1, now_ns=1)
    for _ in range(2):
        assert [hold.lease for hold in holds(purse.admit([Demand(lowered, 40)], 2))] == [later.id]


def test_a_lease_is_not_spent_from_once_it_nears_its_end():
    purse = purse_with(lease(100))

    assert purse.free("q", LEASE_NS - LEASE_NS // 64 - 1) == 100
    assert purse.free("q", LEASE_NS - LEASE_NS // 64) == 0


def test_a_lease_lives_from_when_it_was_asked_for_however_late_it_comes():
    purse = Purse()
    purse.receive(lease(100), asked_ns=0, now_ns=LEASE_NS)

    assert purse.free("q", LEASE_NS) == 0


def test_an_excess_is_paid_from_what_is_free_here_and_then_from_nothing():
    one = lease(100)
    purse = purse_with(one)
    reservation = purse.admit([Demand(quota(), 60)], 0)

    charges = purse.settle(reservation, {"nano_usd": 130})

    assert charges == (Charge("q", one.id, 60), Charge("q", one.id, 40), Charge("q", UNLEASED, 30))
    assert purse.free("q", 0) == 0


def test_an_attempt_is_drawn_and_the_call_goes_on_with_the_rest():
    one = lease(100)
    purse = purse_with(one)
    reservation = purse.admit([Demand(quota(), 60)], 0)

    assert purse.draw(reservation, {"nano_usd": 20}) == (Charge("q", one.id, 20),)
    assert purse.free("q", 0) == 40
    assert purse.settle(reservation, {"nano_usd": 30}) == (Charge("q", one.id, 30),)
    assert purse.free("q", 0) == 50


def test_a_call_settles_once():
    purse = purse_with(lease(100))
    reservation = purse.admit([Demand(quota(), 60)], 0)

    assert purse.settle(reservation, {"nano_usd": 60})
    assert purse.settle(reservation, {"nano_usd": 60}) == ()
    assert purse.draw(reservation, {"nano_usd": 60}) == ()
    assert purse.free("q", 0) == 40


def test_a_parallel_slot_is_free_the_moment_its_call_settles():
    slots = quota(unit="parallel", window="total", amount=1)
    purse = purse_with(lease(1))
    reservation = purse.admit([Demand(slots, 1)], 0)
    assert isinstance(purse.admit([Demand(slots, 1)], 0), Short)

    assert purse.settle(reservation, {"requests": 1, "tokens": 50}) == ()
    assert isinstance(purse.admit([Demand(slots, 1)], 0), Reservation)


def test_soft_quotas_and_demands_of_nothing_need_no_lease():
    admitted = Purse().admit([Demand(quota(stop="soft"), 5), Demand(quota("r"), 0)], 0)

    assert (holds(admitted), admitted.at_ns) == ((), None)


def test_a_lost_lease_is_spent_from_no_more_and_its_calls_settle_all_the_same():
    one = lease(100)
    purse = purse_with(one)
    reservation = purse.admit([Demand(quota(), 60)], 0)

    purse.renewed([one.id], {}, asked_ns=1, now_ns=2)

    assert purse.free("q", 2) == 0
    assert purse.settle(reservation, {"nano_usd": 45}) == (Charge("q", one.id, 45),)
    assert purse.free("q", 2) == 0


def test_what_is_wanted_elsewhere_goes_back_at_once_and_is_promised():
    one = lease(100)
    purse = purse_with(one)
    reservation = purse.admit([Demand(quota(), 60)], 0)
    assert purse.idle(0, recalled=True) == {}

    purse.recall("q")
    assert purse.idle(0, recalled=True) == {one.id: 40}
    assert purse.idle(0, recalled=True) == {one.id: 40}  # until the bank is known to have it
    purse.given_back({one.id: 40})
    assert purse.idle(0, recalled=True) == {}
    purse.settle(reservation, {"nano_usd": 50})
    assert purse.idle(0, recalled=True) == {one.id: 50}


def test_a_renewal_says_when_nobody_wants_it_any_more():
    one = lease(100, wanted=True)
    purse = purse_with(one)
    purse.admit([Demand(quota(), 60)], 0)

    told = lease(100, id=one.id, granted_ns=BANK + WANTED_NS, expires_ns=BANK + WANTED_NS + LEASE_NS)
    purse.renewed([one.id], {one.id: told}, asked_ns=0, now_ns=0)

    assert purse.idle(0, recalled=True) == {}
    assert purse.free("q", 0) == 40


def test_an_empty_lease_is_renewed_until_what_it_paid_for_has_settled():
    one = lease(100)
    purse = purse_with(one)
    purse.settle(purse.admit([Demand(quota(), 100)], 0), {"nano_usd": 100})

    assert purse.renewable(0) == (one.id,)
    assert purse.renewable(2 * RENEW_NS) == (one.id,)
    assert purse.renewable(2 * RENEW_NS + 1) == ()


def test_a_lease_that_went_back_whole_is_not_kept():
    one = lease(100)
    purse = purse_with(one)
    purse.recall("q")

    purse.given_back(purse.idle(0, recalled=True))

    assert purse.renewable(0) == ()


def test_while_the_bank_is_away_an_open_quota_lets_its_bound_through_and_no_more():
    purse, demands = purse_with(lease(10)), [Demand(quota(open_bound=100), 60)]

    first = purse.admit(demands, 0, away=True)
    second = purse.admit(demands, 0, away=True)

    assert [hold.amount for hold in holds(first)] == [10, 50]
    assert second == Short((), refused="q")
    assert purse.settle(first, {"nano_usd": 15})[1] == Charge("q", UNLEASED, 5)
    assert isinstance(purse.admit(demands, 0, away=True), Reservation)
    purse.back()
    assert isinstance(purse.admit(demands, 0, away=True), Reservation)


def test_while_the_bank_is_away_a_closed_quota_refuses_what_is_not_leased():
    purse, closed = purse_with(lease(10)), quota(when_away="closed")

    assert purse.admit([Demand(closed, 11)], 0, away=True) == Short((), refused="q")
    assert isinstance(purse.admit([Demand(closed, 10)], 0, away=True), Reservation)


amounts = st.integers(0, 10**18)


@given(st.lists(amounts, min_size=1, max_size=5), amounts, amounts)
def test_money_is_exact_however_many_leases_pay_it(leases, asked, used):
    purse = purse_with(*[lease(amount) for amount in leases])
    reservation = purse.admit([Demand(quota(), asked)], 0)

    if asked > sum(leases):
        assert reservation.takes[0].least == asked - sum(leases)
    elif asked:
        charges = purse.settle(reservation, {"nano_usd": used})
        assert sum(charge.amount for charge in charges) == used
        leased = sum(charge.amount for charge in charges if charge.lease != UNLEASED)
        assert purse.free("q", 0) == sum(leases) - leased
        assert leased == min(used, sum(leases))


class PurseOfManyCalls(RuleBasedStateMachine):
    """Calls on three levels, leases that come, end, are lost and go back: nothing appears, nothing vanishes."""

    levels = (quota("a"), quota("b", unit="requests"), quota("c", unit="parallel"))

    def __init__(self):
        super().__init__()
        self.purse, self.now = Purse(), 0
        self.calls, self.settled = [], []
        self.granted, self.spent, self.given = Counter(), Counter(), {}
        self.gone = set()
        self.cover = Cover.of(self.levels)  # kept from one call to the next

    @rule(level=st.integers(0, 2), amount=st.integers(1, 50), life=st.integers(1, LEASE_NS))
    def a_lease_comes(self, level, amount, life):
        one = lease(amount, self.levels[level].id, expires_ns=BANK + life)
        self.purse.receive(one, asked_ns=self.now, now_ns=self.now)
        self.granted[one.id] += amount

    @rule(demands=st.lists(st.integers(0, 30), min_size=3, max_size=3))
    def a_call_comes(self, demands):
        asked = [Demand(level, amount) for level, amount in zip(self.levels, demands, strict=True)]
        free = {demand.quota.id: self.purse.free(demand.quota.id, self.now) for demand in asked}
        tried = self.purse.at_once(self.cover, demands, self.now) or self.purse.admit(asked, self.now)
        left = {demand.quota.id: self.purse.free(demand.quota.id, self.now) for demand in asked}
        if isinstance(tried, Short):
            lacking = {take.quota for take in tried.takes if take.need != NOBODY}
            assert lacking == {demand.quota.id for demand in asked if demand.amount > free[demand.quota.id]}
            assert len({take.quota for take in tried.takes}) == len(tried.takes)
            assert left == free
        else:
            assert left == {demand.quota.id: free[demand.quota.id] - demand.amount for demand in asked}
            self.calls.append(tried)

    @rule(which=st.integers(0, 10**6), used=st.integers(0, 60), last=st.booleans())
    def a_call_settles(self, which, used, last):
        if self.calls:
            reservation = self.calls[which % len(self.calls)]
            pay = self.purse.settle if last else self.purse.draw
            charges = pay(reservation, {"nano_usd": used, "requests": 1})
            for unit, level, amount in (("nano_usd", "a", used), ("requests", "b", 1)):
                if any(hold.unit == unit for hold in holds(reservation)):
                    assert sum(charge.amount for charge in charges if charge.quota == level) == amount
            self.spent.update({charge.lease: 0 for charge in charges})
            for charge in charges:
                self.spent[charge.lease] += charge.amount
            if last:
                self.calls.remove(reservation)
                assert self.purse.settle(reservation, {"nano_usd": used}) == ()

    @rule(passes=st.integers(0, SECOND))
    def time_passes(self, passes):
        self.now += passes

    @rule(recalled=st.booleans(), level=st.integers(0, 2))
    def what_is_idle_goes_back(self, recalled, level):
        if recalled:
            self.purse.recall(self.levels[level].id)
        back = self.purse.idle(self.now, recalled=recalled)
        self.given |= back
        self.purse.given_back(back)

    @rule(which=st.integers(0, 10**6))
    def a_lease_is_lost(self, which):
        if held := self.purse.renewable(self.now):
            self.purse.renewed([held[which % len(held)]], {}, asked_ns=self.now, now_ns=self.now)

    @invariant()
    def every_lease_adds_up(self):
        for held in self.purse._by_id.values():
            assert min(held.free, held.given) >= 0
            gone = self.spent[held.id] + self.given.get(held.id, 0)
            assert held.free + reserved(self.purse, held) + gone == self.granted[held.id]
            assert held.reserved == reserved(self.purse, held)


TestPurseOfManyCalls = PurseOfManyCalls.TestCase


# -- the line


def waiting_for(amount, now_ns=0):
    line = Line(Purse())
    return line, line.join([Demand(quota(), amount)], now_ns)


def test_calls_that_wait_ask_together_and_are_admitted_in_order():
    line, first = waiting_for(50)
    second = line.join([Demand(quota(), 30)], 0)

    assert line.takes(0) == ([], (Take("q", 30, 80, 80),))
    assert line.answered({"q": lease(60)}, asked_ns=0, now_ns=1) == [first]
    assert line.takes(1)[1] == (Take("q", 20, 70, 20),)
    assert line.answered({"q": lease(20)}, asked_ns=1, now_ns=2) == [second]
    assert line.due_ns() is None


def test_a_call_is_refused_when_nobody_else_holds_anything_idle():
    line, call = waiting_for(50)
    line.takes(0)

    assert line.answered({"q": standing(10)}, asked_ns=0, now_ns=1) == [call]
    assert call.outcome == Refusal("q", standing(10))


def test_a_call_is_not_refused_for_what_another_lacks():
    line, much = waiting_for(400)
    purse = line.purse
    purse.receive(lease(2), asked_ns=0, now_ns=0)
    little = line.join([Demand(quota(), 1), Demand(quota("r"), 1)], 0)
    line.takes(0)
    purse.recall("q")
    purse.idle(0, recalled=True)  # so that `little` lacks 1 of q, which nobody asked for

    done = line.answered({"q": standing(10), "r": lease(1, "r")}, asked_ns=0, now_ns=1)

    assert done == [much]
    assert line.takes(1) == ([], (Take("q", 1, 1, 1),))
    assert little.outcome is None


def test_a_call_waits_for_what_is_recalled_and_asks_again():
    line, call = waiting_for(50)
    line.takes(0)
    assert line.answered({"q": standing(10, recalling=40)}, asked_ns=0, now_ns=1) == []

    assert line.due_ns() == 1 + AGAIN_NS
    assert line.takes(AGAIN_NS) == ([], ())
    assert line.takes(1 + AGAIN_NS)[1] == (Take("q", 50, 50, 50),)
    assert line.answered({"q": lease(50)}, asked_ns=1, now_ns=2) == [call]


def test_a_call_waits_no_longer_than_a_live_holder_needs_to_answer():
    line, call = waiting_for(50)
    for now in range(0, PATIENCE_NS + 2 * AGAIN_NS, AGAIN_NS):
        line.takes(now)
        if line.answered({"q": standing(10, recalling=40)}, asked_ns=now, now_ns=now):
            break

    assert now == PATIENCE_NS
    assert isinstance(call.outcome, Refusal)


def test_a_call_waits_for_each_of_its_quotas_as_long_as_its_holders_need():
    line = Line(Purse())
    call = line.join([Demand(quota(), 50), Demand(quota("r"), 1)], 0)
    line.takes(0)
    line.answered({"q": standing(10, recalling=40), "r": lease(1, "r")}, asked_ns=0, now_ns=0)
    line.purse.recall("r")
    line.purse.idle(0, recalled=True)

    for now, answers in (
        (PATIENCE_NS - 1, {"q": standing(10, recalling=40), "r": standing(0, recalling=5, name="r")}),
        (PATIENCE_NS + AGAIN_NS, {"q": lease(50), "r": standing(0, recalling=5, name="r")}),
    ):
        line.takes(now)
        assert line.answered(answers, asked_ns=now, now_ns=now) == []

    assert call.outcome is None


def test_a_call_asks_no_longer_than_anybody_would_wait():
    line, call = waiting_for(50)
    purse, now = line.purse, 0
    while call.outcome is None:
        line.takes(now)
        granted = now // AGAIN_NS % 2 == 0  # too little, and it goes back again, for ever
        line.answered({"q": lease(1) if granted else standing(0, recalling=40)}, asked_ns=now, now_ns=now)
        purse.recall("q")
        purse.idle(now, recalled=True)
        now += AGAIN_NS

    assert isinstance(call.outcome, Refusal)
    assert LONGEST_NS <= now <= LONGEST_NS + 3 * AGAIN_NS


def test_a_call_that_hears_nothing_is_decided_by_its_quotas():
    line, call = waiting_for(5)
    closed = line.join([Demand(quota("r", when_away="closed"), 5)], 0)

    assert line.away(AWAY_NS - 1) == []
    assert line.away(AWAY_NS) == [call, closed]
    assert isinstance(call.outcome, Reservation)
    assert closed.outcome == Refusal("r", None)


def test_nobody_waits_for_a_quota_that_is_no_more():
    line, call = waiting_for(50)
    line.takes(0)

    assert line.answered({}, asked_ns=0, now_ns=1) == [call]
    assert isinstance(call.outcome, Reservation)


def test_a_caller_who_goes_leaves_nothing_reserved():
    line, call = waiting_for(50)
    other = line.join([Demand(quota(), 50)], 0)
    line.leave(other)
    line.takes(0)
    line.answered({"q": lease(50)}, asked_ns=0, now_ns=1)
    assert other.outcome is None

    line.leave(call)

    assert line.purse.free("q", 1) == 50
    assert isinstance(line.join([Demand(quota(), 51)], 1), Waiting)


@pytest.mark.parametrize("amount", [0, 50])
def test_a_call_that_is_covered_never_joins_the_line(amount):
    line = Line(purse_with(lease(50)))

    assert isinstance(line.join([Demand(quota(), amount)], 0), Reservation)
    assert line.due_ns() is None


def test_each_call_waits_as_long_for_the_bank_whenever_it_came():
    line, first = waiting_for(5)
    assert line.patient_ns() == AWAY_NS
    second = line.join([Demand(quota(), 5)], AWAY_NS // 2)

    assert line.away(AWAY_NS) == [first]
    assert line.patient_ns() == AWAY_NS + AWAY_NS // 2
    assert line.away(line.patient_ns()) == [second]
    assert line.patient_ns() is None
