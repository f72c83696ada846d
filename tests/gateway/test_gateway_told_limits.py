"""Answers say how limits stand, in the words of each caller's clients, as far as the worker knows."""

import msgspec
import pytest
from memory_bank import MemoryBank
from surroundings import KEY

from flyball.gateway.quota_errors import told_headers
from flyball.kit.clock import FixedClock, SystemClock
from flyball.ledger.cover import Cover
from flyball.ledger.lender import Lender
from flyball.ledger.records import Quota
from flyball.ledger.told import Standings, Told
from flyball.testing.script import Turn

CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}
NOON = 1_780_315_200_000_000_000  # 2026-06-01 12:00 UTC
SECOND = 1_000_000_000


class Kept(list):
    has_room = True

    def append(self, entry):
        super().append(entry)
        return True


@pytest.fixture
def bank():
    return MemoryBank(SystemClock().now_ns)


@pytest.fixture
async def till(bank):
    lender = Lender(bank, Kept(), SystemClock(), "worker-1")
    async with lender.at_work():
        yield lender


@pytest.fixture
def limited(gateway, bank):
    async def limited(unit, amount, **options):
        made = quota(unit, amount, id=f"quota_{len(bank.quotas) + 1}", **options)
        await bank.declare(made)
        gateway.know(quotas={("project", ""): tuple(bank.quotas.values())}, organisation="org_1")
        object.__setattr__(gateway.house, "standings", Standings(bank, SystemClock()))

    return limited


def quota(unit="requests", amount=10, **differently):
    plain = {"id": "quota_1", "organisation": "org_1", "project": "default", "unit": unit, "scope_kind": "project"}
    return Quota(**plain | {"amount": amount, "window": "hour"} | differently)


def limits_in(answered):
    return {name: value for name, value in answered.headers.items() if "ratelimit" in name}


async def test_an_answer_says_what_is_left_of_the_tightest_limit_of_each_unit(gateway, limited):
    await limited("requests", 600)
    await limited("requests", 10, window="day")
    await limited("tokens", 100_000)
    assert limits_in(await gateway.post(CHAT)) == {}, "nothing is known yet, and nothing is made up"
    await gateway.house.standings.look()

    answered = await gateway.post(CHAT | {"stream": True})

    told = limits_in(answered)
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-limit-tokens"]) == ("10", "100000")
    assert int(told["x-ratelimit-remaining-requests"]) <= 8
    assert 0 < int(told["x-ratelimit-reset-requests"].removesuffix("s")) <= 86_400
    assert len(told) == 6


async def test_callers_of_anthropic_read_their_own_names(gateway, limited):
    await limited("requests", 10)
    body = msgspec.json.encode({"model": "fast", "max_tokens": 20, "messages": CHAT["messages"]})
    await gateway.send("POST", "/v1/messages", body, x_api_key=KEY)
    await gateway.house.standings.look()

    told = limits_in(await gateway.send("POST", "/v1/messages", body, x_api_key=KEY))

    assert sorted(told) == [f"anthropic-ratelimit-requests-{name}" for name in ("limit", "remaining", "reset")]
    assert told["anthropic-ratelimit-requests-reset"].endswith("Z")


async def test_what_an_upstream_says_of_its_own_limits_does_not_stand_in_the_place_of_ours(gateway, limited, upstream):
    theirs = (("x-ratelimit-remaining-requests", "4999"), ("anthropic-ratelimit-tokens-limit", "7"))
    upstream.otherwise = Turn(headers=theirs)
    assert limits_in(await gateway.post(CHAT)) == dict(theirs)
    await limited("requests", 10)
    await gateway.post(CHAT)
    await gateway.house.standings.look()

    told = limits_in(await gateway.post(CHAT))

    assert int(told["x-ratelimit-remaining-requests"]) < 10
    assert told["x-upstream-ratelimit-remaining-requests"] == "4999"
    assert told["x-upstream-anthropic-ratelimit-tokens-limit"] == "7"


class Still:
    """A bank whose counters stand where a test puts them."""

    def __init__(self, bank):
        self.bank = bank
        self.asked = 0

    async def standings(self, names):
        self.asked += 1
        return await self.bank.standings(names)


@pytest.fixture
def clock():
    return FixedClock(NOON)


@pytest.fixture
async def known(clock):
    bank = MemoryBank(clock.now_ns)
    await bank.declare(quota())
    still = Still(bank)
    standings = Standings(still, clock)
    standings.still = still
    standings.after(Cover.of([quota()]), [1])
    await standings.look()
    return standings


async def test_what_is_let_in_between_two_looks_is_taken_off(known):
    told = [known.after(Cover.of([quota()]), [3]).limits for _ in range(4)]

    assert [one.remaining for [one] in told] == [7, 4, 1, 0]
    assert told[0] == (Told("requests", 10, 7, NOON + 3_600 * SECOND),)


async def test_calls_of_a_kind_that_come_at_once_are_told_the_same_and_each_is_taken_off_for_the_next(known, clock):
    cover = Cover.of([quota()])
    told = [known.after(cover, [1]) for _ in range(3)]
    assert [one.remaining for each in told for one in each.limits] == [9, 9, 9]

    clock.advance(0.02)

    assert [one.remaining for one in known.after(cover, [1]).limits] == [6]


async def test_what_one_teller_told_no_other_tells(known, clock):
    cover = Cover.of([quota()])
    assert known.after(cover, [1]).limits

    assert Standings(known.still, clock).after(cover, [1]).limits == ()


async def test_each_dialect_is_told_in_its_own_words(known):
    cover = Cover.of([quota()])
    words = [told_headers(known.after(cover, [1]), dialect) for dialect in ("openai_chat", "anthropic_messages") * 2]

    assert words[0] == words[2] != words[1] == words[3]
    assert (b"x-ratelimit-remaining-requests", b"9") in words[0]
    assert (b"anthropic-ratelimit-requests-remaining", b"9") in words[1]


async def test_no_more_is_told_than_a_limit_that_was_lowered_since(known):
    [told] = known.after(Cover.of([quota(amount=4)]), [1]).limits

    assert (told.limit, told.remaining) == (4, 4)


async def test_another_window_begins_with_all_of_it(known, clock):
    known.after(Cover.of([quota()]), [9])
    clock.advance(3_600)
    await known.look()
    known.after(Cover.of([quota()]), [0])
    await known.look()

    [told] = known.after(Cover.of([quota()]), [2]).limits

    assert (told.remaining, told.resets_ns) == (8, NOON + 2 * 3_600 * SECOND)


async def test_what_was_looked_at_too_long_ago_is_not_told_and_what_nobody_uses_is_not_looked_at(known, clock):
    clock.advance(6)
    assert known.after(Cover.of([quota()]), [1]).limits == ()

    clock.advance(11)
    asked = known.still.asked
    await known.look()
    assert known.still.asked == asked


@pytest.mark.parametrize("other", [quota("nano_usd"), quota("parallel", window="total"), quota(stop="soft")])
async def test_budgets_and_what_stops_nobody_have_no_such_headers(known, other):
    assert known.after(Cover.of([other]), [1]).limits == ()


async def test_what_has_no_end_tells_none(clock):
    bank = MemoryBank(clock.now_ns)
    await bank.declare(quota(window="total"))
    standings = Standings(bank, clock)
    standings.after(Cover.of([quota(window="total")]), [1])
    await standings.look()

    [told] = standings.after(Cover.of([quota(window="total")]), [1]).limits
    assert told.resets_ns is None
