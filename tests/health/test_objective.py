"""The objective for lag: which minutes are missed, what is left of the budget, how fast it burns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.health.objective import MINUTE_NS, attain
from flyball.health.records import Minute, Objective

NOW = 1_700_000_040 * 1_000_000_000 // MINUTE_NS * MINUTE_NS
AIM = Objective(seconds=2.0, percent=99.0)


def minute(ago: int, lag: float | None, **more) -> Minute:
    """A minute so many minutes ago, with its worst lag in seconds; None: every attempt failed."""
    tried = {"samples": 0, "failed": 60} if lag is None else {"samples": 60}
    worst = None if lag is None else int(lag * 1e9)
    return Minute(minute_ns=NOW - ago * MINUTE_NS, worst_lag_ns=worst, **(tried | more))


def day(missed: int, *, measured: int = 1440, from_ago: int = 120) -> list[Minute]:
    """A day of quick minutes, of which some some hours ago were slow."""
    return [minute(ago, 9.0 if from_ago < ago <= from_ago + missed else 1.2) for ago in range(measured, 0, -1)]


def test_nothing_measured_is_neither_met_nor_missed():
    stands = attain([], AIM, NOW)

    assert (stands.state, stands.percent, stands.missed, stands.worst_ns, stands.burn) == (
        "unmeasured",
        None,
        0,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("missed", "state", "left"),
    [(0, "met", 1.0), (14, "met", 1 - 14 / 14.4), (15, "missed", 1 - 15 / 14.4), (144, "missed", -9.0)],
)
def test_one_percent_of_a_day_may_be_slower(missed, state, left):
    stands = attain(day(missed), AIM, NOW)

    assert (stands.state, stands.measured, stands.missed, stands.budget) == (state, 1440, missed, 14.4)
    assert stands.left == pytest.approx(left, abs=1e-3)
    assert stands.percent == pytest.approx(100 * (1 - missed / 1440), abs=1e-3)


def test_a_minute_at_the_objective_is_met_and_one_above_it_is_not():
    stands = attain([minute(3, 2.0), minute(2, 2.000000001), minute(1, 0)], AIM, NOW)

    assert stands.missed == 1
    assert stands.last_missed_ns == NOW - 2 * MINUTE_NS


def test_one_slow_minute_after_a_start_is_allowed_and_two_are_not():
    assert attain([minute(3, 60), minute(2, 1), minute(1, 1)], AIM, NOW).state == "met"
    assert attain([minute(3, 60), minute(2, 9), minute(1, 1)], AIM, NOW).state == "missed"


def test_a_minute_in_which_every_attempt_failed_is_missed_and_one_without_an_attempt_does_not_count():
    untried = Minute(minute_ns=NOW - 5 * MINUTE_NS, disk_free=1)
    stands = attain([untried, minute(2, None), minute(1, 1)], AIM, NOW)

    assert (stands.measured, stands.missed) == (2, 1)


def test_the_minute_that_runs_counts_once_it_is_missed():
    running = minute(0, 1.0)

    assert attain([minute(1, 1), running], AIM, NOW + 1).measured == 1
    assert attain([minute(1, 1), minute(0, 3.0)], AIM, NOW + 1).missed == 1
    assert attain([minute(1, 1), minute(0, None)], AIM, NOW + 1).measured == 1


def test_minutes_older_than_a_day_do_not_count():
    assert attain([minute(1441, 99), minute(1440, 99), minute(1, 1)], AIM, NOW).missed == 1


def test_an_hour_that_uses_the_budget_fast_is_told_before_it_is_used_up():
    burning = day(3, from_ago=10)

    stands = attain(burning, AIM, NOW)

    assert (stands.state, stands.missed, stands.burn) == ("burning", 3, 5.0)
    assert attain(day(3), AIM, NOW).state == "met"


def test_of_the_longest_wait_is_told_when_it_was():
    stands = attain([minute(3, 1), minute(2, 7), minute(1, 2)], AIM, NOW)

    assert (stands.worst_ns, stands.worst_at_ns) == (7_000_000_000, NOW - 2 * MINUTE_NS)


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e4)), max_size=1500),
    st.floats(0.1, 100),
    st.floats(50, 100),
)
def test_the_numbers_add_up_whatever_was_measured(lags, seconds, percent):
    minutes = [minute(len(lags) - number, lag) for number, lag in enumerate(lags)]
    stands = attain(minutes, Objective(seconds=seconds, percent=percent), NOW)

    assert stands.measured == min(len(lags), 1440)
    assert stands.measured + stands.unmeasured == 1440
    assert 0 <= stands.missed <= stands.measured
    assert stands.budget >= 1
    assert (stands.state == "missed") == (stands.missed > max(1.0, (1 - percent / 100) * stands.measured))
    assert (stands.state == "unmeasured") == (not lags)
