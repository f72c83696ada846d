"""A worker's till: admitted at once from what it holds, refused only when the bank says so, decided by policy while the bank is away."""

import asyncio

import msgspec
import pytest
from memory_bank import MemoryBank

from flyball.kit.clock import SystemClock
from flyball.ledger.bank import SECOND
from flyball.ledger.errors import LedgerFullError, QuotaAwayError, QuotaReachedError
from flyball.ledger.lender import Lender
from flyball.ledger.records import Demand, Entry, Lease, Quota, Standing, Take
from flyball.ledger.windows import ends_ns

BUDGET = Quota(
    id="q_budget", organisation="o", unit="nano_usd", scope_kind="organisation", amount=1_000, window="total"
)
PLACES = Quota(id="q_places", organisation="o", unit="parallel", scope_kind="organisation", amount=2, window="total")


class Kept(list):
    has_room = True

    def append(self, entry):
        super().append(entry)
        return True


class SlowBank(MemoryBank):
    """One that can be made to keep everybody waiting."""

    def __init__(self, clock):
        super().__init__(clock)
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = 0

    async def take(self, worker, takes, now_ns=None):
        self.asked += 1
        await self.answers.wait()
        return await super().take(worker, takes, now_ns)


@pytest.fixture
def bank():
    return SlowBank(SystemClock().now_ns)


@pytest.fixture
async def lender(bank):
    kept = Kept()
    await bank.declare(BUDGET)
    await bank.declare(PLACES)
    lender = Lender(bank, kept, SystemClock(), "worker-1")
    lender.kept = kept
    async with lender.at_work():
        yield lender


def entry(number, nano_usd):
    return Entry(
        id=f"{number:016x}",
        project="p",
        organisation="o",
        at_ns=SystemClock().now_ns(),
        nano_usd=nano_usd,
        price_version="v",
    )


async def test_a_call_takes_from_the_bank_and_the_next_one_from_what_is_held(lender, bank):
    for number in range(3):
        reservation = await lender.admit([Demand(BUDGET, 100)])
        lender.settle(reservation, [entry(number, 60)])
    asked = bank.asked

    first = await lender.admit([Demand(BUDGET, 100)])

    assert asked <= 3
    assert bank.asked - asked <= 1
    lender.settle(first, [])
    assert [(one.nano_usd, sum(charge.amount for charge in one.charges)) for one in lender.kept] == [(60, 60)] * 3


async def test_what_is_used_up_is_refused_with_the_ledgers_own_numbers(lender, bank):
    reservation = await lender.admit([Demand(BUDGET, 900)])
    lender.settle(reservation, [entry(1, 900)])
    await bank.settle(lender.kept)

    with pytest.raises(QuotaReachedError) as refused:
        await lender.admit([Demand(BUDGET, 200)])

    standing = refused.value.standing
    assert (standing.limit, standing.settled + standing.leased, standing.free) == (1_000, 900, 100)
    assert refused.value.needed == 200


@pytest.mark.parametrize("window", ["day", "rolling:3600"])
async def test_a_call_that_needs_more_than_all_of_it_is_never_told_to_come_back(lender, bank, window):
    daily = msgspec.structs.replace(BUDGET, id="q_daily", window=window)
    await bank.declare(daily)
    reservation = await lender.admit([Demand(daily, 10)])
    lender.settle(reservation, [])

    with pytest.raises(QuotaReachedError) as refused:
        await lender.admit([Demand(daily, 1_001)])

    assert refused.value.standing.frees_ns is None


async def test_requests_that_were_let_in_a_moment_ago_come_back_with_the_window_not_with_a_lease(lender, bank):
    calls = msgspec.structs.replace(BUDGET, id="q_calls", unit="requests", amount=5, window="day")
    await bank.declare(calls)
    for number in range(5):
        lender.settle(await lender.admit([Demand(calls, 1)]), [entry(number, 0)])

    with pytest.raises(QuotaReachedError) as refused:
        await lender.admit([Demand(calls, 1)])

    now_ns = SystemClock().now_ns()
    assert refused.value.standing.settled == 0  # it is not settled yet, and no lease that ends gives it back
    assert refused.value.standing.frees_ns == ends_ns("day", now_ns)


async def test_a_place_is_free_again_as_soon_as_its_call_has_settled(lender):
    held = [await lender.admit([Demand(PLACES, 1)]) for _ in range(2)]
    with pytest.raises(QuotaReachedError):
        await lender.admit([Demand(PLACES, 1)])

    lender.settle(held[0], [])

    assert await lender.admit([Demand(PLACES, 1)])


async def test_a_limit_that_is_lowered_holds_at_once_although_more_is_held_here(lender, bank):
    places = msgspec.structs.replace(PLACES, amount=8)
    await bank.declare(places)
    held = [await lender.admit([Demand(places, 1)]) for _ in range(8)]
    lowered = msgspec.structs.replace(places, amount=2)
    await bank.declare(lowered)

    for number in range(6):
        with pytest.raises(QuotaReachedError):
            await lender.admit([Demand(lowered, 1)])
        lender.settle(held[number], [])
    with pytest.raises(QuotaReachedError):
        await lender.admit([Demand(lowered, 1)])
    lender.settle(held[6], [])

    assert await lender.admit([Demand(lowered, 1)])  # and what went back is no reason to refuse


async def test_what_is_free_under_a_lowered_limit_comes_in_at_once(lender, bank):
    lender.settle(await lender.admit([Demand(BUDGET, 900)]), [entry(1, 100)])
    await bank.settle(lender.kept)
    lowered = msgspec.structs.replace(BUDGET, amount=700)
    await bank.declare(lowered)

    assert await lender.admit([Demand(lowered, 600)])
    with pytest.raises(QuotaReachedError):
        await lender.admit([Demand(lowered, 1)])


async def test_nothing_comes_in_under_a_limit_of_nothing_while_the_bank_is_silent(lender, bank):
    bank.answers.clear()

    with pytest.raises(QuotaAwayError):
        await asyncio.wait_for(lender.admit([Demand(msgspec.structs.replace(PLACES, amount=0), 1)]), 2)


async def test_a_call_falls_under_all_of_its_quotas_together_or_under_none(lender, bank):
    await lender.admit([Demand(PLACES, 1)])
    await lender.admit([Demand(PLACES, 1)])

    with pytest.raises(QuotaReachedError, match="q_places"):
        await lender.admit([Demand(BUDGET, 100), Demand(PLACES, 1)])

    assert await lender.admit([Demand(BUDGET, 1_000)])


async def test_while_the_bank_is_silent_an_open_quota_lets_calls_through_within_its_bound(lender, bank):
    bank.answers.clear()
    opened = msgspec.structs.replace(BUDGET, open_bound=150)

    assert await asyncio.wait_for(lender.admit([Demand(opened, 100)]), 2)
    with pytest.raises(QuotaAwayError, match="q_budget"):
        await asyncio.wait_for(lender.admit([Demand(opened, 100)]), 2)
    bank.answers.set()

    assert await asyncio.wait_for(lender.admit([Demand(BUDGET, 100)]), 2)


async def test_while_the_bank_is_silent_a_closed_quota_lets_nothing_through(lender, bank):
    bank.answers.clear()

    with pytest.raises(QuotaAwayError):
        await asyncio.wait_for(lender.admit([Demand(msgspec.structs.replace(BUDGET, when_away="closed"), 1)]), 2)


async def test_a_caller_who_leaves_while_waiting_takes_nothing_along(lender, bank):
    bank.answers.clear()
    waiting = asyncio.create_task(lender.admit([Demand(msgspec.structs.replace(PLACES, when_away="closed"), 2)]))
    await asyncio.sleep(0.01)
    waiting.cancel()
    bank.answers.set()
    await asyncio.gather(waiting, return_exceptions=True)

    assert await asyncio.wait_for(lender.admit([Demand(PLACES, 2)]), 2)


async def test_at_its_end_a_worker_gives_everything_back(bank):
    await bank.declare(BUDGET)
    lender = Lender(bank, Kept(), SystemClock(), "worker-1")
    async with lender.at_work():
        reservation = await lender.admit([Demand(BUDGET, 400)])
        lender.settle(reservation, [])

    standing = (await bank.standings([BUDGET.id]))[BUDGET.id]
    assert standing.leased == 0


async def test_nothing_is_begun_whose_cost_could_not_be_kept(lender):
    lender.kept.has_room = False

    with pytest.raises(LedgerFullError):
        await lender.admit([])


async def test_what_is_idle_goes_back_as_soon_as_somebody_else_wants_it(bank, monkeypatch):
    monkeypatch.setattr("flyball.ledger.lender.RENEW_NS", 3_600 * SECOND)  # no renewal comes to its help
    await bank.declare(BUDGET)
    async with Lender(bank, Kept(), SystemClock(), "worker-1").at_work() as lender:
        lender.settle(await lender.admit([Demand(BUDGET, 900)]), [])
        going_on = await lender.admit([Demand(BUDGET, 400)])
        assert isinstance((await bank.take("worker-2", [Take(BUDGET.id, 500, 500)]))[BUDGET.id], Standing)

        lender.recall(BUDGET.id)
        await granted(bank, 500)
        assert isinstance((await bank.take("worker-2", [Take(BUDGET.id, 500, 500)]))[BUDGET.id], Standing)
        lender.settle(going_on, [])  # what comes free while it is wanted goes back as well

        await granted(bank, 500)


async def granted(bank, amount):
    """Another worker asks until it is granted."""
    async with asyncio.timeout(20):
        while not isinstance((await bank.take("worker-2", [Take(BUDGET.id, amount, amount)]))[BUDGET.id], Lease):
            await asyncio.sleep(0.01)
