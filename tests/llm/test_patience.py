"""Whose turn it is, how long to wait for it, and when to give up."""

import math

import pytest

from flyball.kit.clock import NANOSECONDS
from flyball.llm.errors import UpstreamCutError, UpstreamRefusedError
from flyball.llm.patience import Patience, Rota, asked_wait, may_retry


class Clock:
    """Time that a test moves."""

    def __init__(self):
        self.ns = 10 * NANOSECONDS

    def now_ns(self):
        return self.ns

    def monotonic_ns(self):
        return self.ns

    def pass_seconds(self, seconds):
        self.ns += int(seconds * NANOSECONDS)


@pytest.fixture
def clock():
    return Clock()


def refused(status=429, retry_after=None):
    return UpstreamRefusedError("no", upstream_status=status, retry_after=retry_after, retryable=True)


def test_endpoints_take_turns_in_their_order(clock):
    rota = Rota(3, clock)

    assert [rota.next() for _ in range(5)] == [0, 1, 2, 0, 1]


def test_an_endpoint_that_asks_to_be_left_alone_is_passed_over_until_its_time_has_come(clock):
    rota = Rota(2, clock)
    rota.failed(rota.next(), refused(retry_after=5))
    rota.failed(rota.next(), UpstreamCutError("cut"))

    assert rota.owed == 0
    assert rota.next() == 1
    clock.pass_seconds(6)
    assert rota.next() == 0


def test_where_all_ask_to_be_left_alone_the_shortest_wait_is_owed(clock):
    rota = Rota(2, clock)
    rota.failed(rota.next(), refused(retry_after=5))
    rota.failed(rota.next(), refused(retry_after=2))

    assert rota.owed == 2
    assert rota.next() == 1


def test_an_endpoint_that_refuses_our_key_gets_no_second_turn(clock):
    rota = Rota(2, clock)
    rota.failed(rota.next(), refused(401))

    assert [rota.next(), rota.next()] == [1, 1]
    rota.failed(1, refused(403))
    assert math.isinf(rota.owed)


def test_what_is_owed_is_waited_for_exactly_and_never_beyond_the_deadline(clock):
    patience = Patience(clock, seconds=10, tries=5)
    patience.start_try()

    assert patience.wait_after(refused(), 4) == 4
    assert patience.wait_after(refused(), 12) is None
    assert patience.wait_after(refused(), math.inf) is None
    assert 0 <= patience.wait_after(refused(), 0) <= 1


def test_no_try_follows_the_last_or_a_failure_that_will_not_pass(clock):
    patience = Patience(clock, seconds=10, tries=1)
    lasting = UpstreamRefusedError("no", upstream_status=400, retryable=False)

    assert patience.wait_after(lasting) is None
    patience.start_try()
    assert patience.wait_after(refused()) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "9"}, 9),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:30 GMT"}, 20),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after-ms": "nan", "retry-after": "2"}, 2),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_a_vendor_asks_to_wait(headers, seconds, clock):
    assert asked_wait(headers, clock.now_ns()) == seconds


@pytest.mark.parametrize(
    ("status", "said", "may"),
    [(429, "", True), (529, "", True), (500, "", True), (400, "", False), (400, "true", True), (503, "false", False)],
)
def test_a_vendors_own_word_on_trying_again_is_the_last(status, said, may):
    assert may_retry(status, {"x-should-retry": said} if said else {}) is may
