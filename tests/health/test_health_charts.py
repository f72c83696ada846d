"""A day as drawings: bars stay in their frame, what was too slow and what was not measured is told apart."""

from hypothesis import given
from hypothesis import strategies as st

from flyball.health.charts import BARS, HIGH, WIDE, charts_of, hours_of
from flyball.health.growth import Growth
from flyball.health.objective import MINUTE_NS
from flyball.health.records import Minute, Objective
from flyball.infra.processes.vitals import Vitals
from flyball.kit.tally import Counted

NOW = 1_700_000_040 * 10**9 // MINUTE_NS * MINUTE_NS
AIM = Objective(seconds=2.0, percent=99.0)

numbers = st.one_of(st.none(), st.integers(0, 2**53))
any_minute = st.builds(
    Minute,
    minute_ns=st.integers(0, 2_000).map(lambda ago: NOW - ago * MINUTE_NS),
    samples=st.integers(0, 60),
    worst_lag_ns=numbers,
    waiting=numbers,
    acknowledged=st.integers(0, 2**53),
    stored=st.integers(0, 2**53),
    disk_free=numbers,
)


@given(st.lists(any_minute, max_size=50), st.integers(0, 2**50))
def test_whatever_was_measured_every_bar_stays_in_its_frame(minutes, total):
    for chart in charts_of(
        minutes, AIM, max(total, *(each.disk_free or 0 for each in minutes), 0) if minutes else total, NOW
    ):
        assert len(chart.bars) == BARS
        for bar in chart.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= WIDE + 1e-6
            assert -1e-6 <= bar.y <= bar.y + bar.height <= HIGH + 1e-6
        assert all(-1e-6 <= line.y <= HIGH for line in chart.grid)


def test_minutes_that_were_too_slow_and_gaps_are_told_apart():
    slow = Minute(minute_ns=NOW - 30 * MINUTE_NS, samples=60, worst_lag_ns=45 * 10**9)
    quick = Minute(minute_ns=NOW - MINUTE_NS, samples=60, worst_lag_ns=10**9)
    lag, *_ = charts_of([slow, quick], AIM, 1, NOW)
    kinds = [bar.kind for bar in lag.bars]

    assert (kinds.count("slow"), kinds.count(""), kinds.count("none")) == (1, 1, BARS - 2)
    assert "At most 45.0 s; 1 of 144 bars" in lag.told
    assert next(bar for bar in lag.bars if bar.kind == "slow").says.endswith("45.0 s at most, 1 of 1 minutes missed")
    assert lag.aim is not None
    assert (
        next(bar for bar in lag.bars if bar.kind == "slow").y
        < lag.aim
        < next(bar for bar in lag.bars if not bar.kind).y
    )


def test_hours_add_up_what_their_minutes_say():
    minutes = [
        Minute(
            minute_ns=NOW - ago * MINUTE_NS,
            samples=60,
            worst_lag_ns=ago * 10**8,
            acknowledged=10,
            stored=9,
            waiting=ago,
            disk_free=ago,
        )
        for ago in range(1, 181)
    ]
    hours = hours_of(minutes, AIM)

    assert sum(hour.measured for hour in hours) == 180
    assert sum(hour.acknowledged for hour in hours) == 1800
    assert sum(hour.missed for hour in hours) == 160
    assert max(hour.worst_lag_ns for hour in hours) == 18 * 10**9
    assert [hour.began_ns for hour in hours] == sorted((hour.began_ns for hour in hours), reverse=True)


def vitals(number: float, *, started_ns: int = 1, role: str = "flusher") -> Vitals:
    return Vitals(role=role, pid=1, started_ns=started_ns, written_ns=1, sums=(Counted("flushed", "span", number),))


def test_growth_is_of_all_processes_and_does_not_fall_when_one_begins_anew():
    growth = Growth()
    growth.look([vitals(1_000)], 0)
    first = growth.look([vitals(1_100)], 10 * 10**9)
    second = growth.look([vitals(40, started_ns=2), vitals(5, role="other")], 20 * 10**9)

    assert first == {("flushed", "span"): 100}
    assert second == {("flushed", "span"): 45}
    assert growth.per_second("flushed", "span") == 145 / 20
    assert growth.per_second("flushed", "score") == 0


def test_a_rate_is_of_the_last_minute():
    growth = Growth()
    for second in range(0, 300, 5):
        growth.look([vitals(second * 100 if second < 200 else 20_000)], second * 10**9)

    assert growth.per_second("flushed") == 0
