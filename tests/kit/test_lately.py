"""A value that may be a little old: who waits, who gets the old one, and what becomes of an error."""

import asyncio

import pytest

from flyball.kit.clock import FixedClock
from flyball.kit.lately import Lately


class Slow:
    """Counts its calls; each takes a second of the clock."""

    def __init__(self, clock, seconds=1.0):
        self.clock, self.seconds, self.calls = clock, seconds, 0

    async def __call__(self):
        self.calls += 1
        number = self.calls
        await asyncio.sleep(0)
        self.clock.advance(self.seconds)
        return number


@pytest.fixture
def clock():
    return FixedClock()


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_ask_at_once_share_one_computation(clock):
    lately, slow = Lately(clock), Slow(clock)

    assert await asyncio.gather(*(lately.get("counts", slow) for _ in range(5))) == [1] * 5
    assert slow.calls == 1


async def test_a_dear_value_is_kept_for_twenty_times_what_it_cost(clock):
    lately, slow = Lately(clock), Slow(clock)
    await lately.get("counts", slow)
    clock.advance(18)

    assert await lately.get("counts", slow) == 1
    assert slow.calls == 1


async def test_then_the_old_one_is_shown_while_a_new_one_is_computed(clock):
    lately, slow = Lately(clock), Slow(clock)
    await lately.get("counts", slow)
    clock.advance(21)

    assert await lately.get("counts", slow) == 1
    await settle()
    assert await lately.get("counts", slow) == 2


async def test_a_value_older_than_a_minute_is_waited_for(clock):
    lately, slow = Lately(clock), Slow(clock)
    await lately.get("counts", slow)
    clock.advance(61)

    assert await lately.get("counts", slow) == 2


async def test_a_value_that_costs_nothing_is_always_computed_again(clock):
    lately, quick = Lately(clock), Slow(clock, seconds=0)
    for _ in range(2):
        await lately.get("counts", quick)
        await settle()

    assert quick.calls == 2


async def test_an_error_reaches_who_waits_and_is_forgotten(clock):
    lately, slow = Lately(clock), Slow(clock)

    async def away():
        raise OSError("the disk is away")

    with pytest.raises(OSError, match="away"):
        await lately.get("counts", away)
    assert await lately.get("counts", slow) == 1


async def test_an_error_behind_an_old_value_is_not_shown(clock):
    lately, slow = Lately(clock), Slow(clock)
    await lately.get("counts", slow)
    clock.advance(30)

    async def away():
        raise OSError("the disk is away")

    assert await lately.get("counts", away) == 1
    await settle()
    assert await lately.get("counts", slow) == 1


async def test_keys_are_apart(clock):
    lately, slow = Lately(clock), Slow(clock)

    assert (await lately.get("a", slow), await lately.get("b", slow)) == (1, 2)
