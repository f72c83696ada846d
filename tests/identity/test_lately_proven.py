"""Exporters' keys are looked up once a second: a revocation counts after a second, a refusal is never remembered."""

import pytest

from flyball.identity.lately_proven import KEPT_NS, LatelyProven
from flyball.infra.context import Actor
from flyball.kit.secrets import Secret
from flyball.surface.http.identity import Proof

PROOF = Proof(actor=Actor(id="key_1", kind="key", name="shop"), project="p1")


class Clock:
    now = 0

    def monotonic_ns(self):
        return self.now


class Keys:
    """Who is known, and how often somebody asked."""

    def __init__(self):
        self.known = {("good", "192.0.2.1"): PROOF}
        self.asked = 0

    async def __call__(self, _ctx, *, bearer, session, address=""):
        self.asked += 1
        return self.known.get((bearer.reveal() if bearer else session.reveal(), address))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def ask(keys, clock):
    prover = LatelyProven(keys, clock)

    async def asking(key, address="192.0.2.1"):
        return await prover(None, bearer=Secret(key), session=None, address=address)

    return asking


async def test_a_key_is_looked_up_once_a_second(ask, keys, clock):
    assert [await ask("good") for _ in range(3)] == [PROOF] * 3
    assert keys.asked == 1

    clock.now = KEPT_NS

    assert await ask("good") == PROOF
    assert keys.asked == 2


async def test_a_revoked_key_is_refused_after_a_second_at_the_latest(ask, keys, clock):
    await ask("good")
    keys.known.clear()
    clock.now = KEPT_NS

    assert await ask("good") is None


async def test_what_was_refused_is_looked_up_again(ask, keys):
    assert await ask("new") is None
    keys.known["new", "192.0.2.1"] = PROOF

    assert await ask("new") == PROOF


async def test_a_key_proven_at_one_address_is_not_thereby_proven_at_another(ask):
    await ask("good")

    assert await ask("good", "198.51.100.7") is None


async def test_a_session_is_looked_up_each_time(keys, clock):
    prover = LatelyProven(keys, clock)

    for _ in range(2):
        await prover(None, bearer=None, session=Secret("good"), address="192.0.2.1")

    assert keys.asked == 2
