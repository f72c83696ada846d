"""When windows begin, end and free, through leap years, turns of years and rolling buckets; and what can be no quota."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.ledger import windows
from flyball.ledger.errors import QuotaInvalidError
from flyball.ledger.records import MOST, check_amount, check_scope

SECOND = 1_000_000_000
EVERY = (*windows.CALENDAR, "total", "rolling:60", "rolling:61", "rolling:86400", "rolling:31622400")
moments = st.integers(0, 7_258_118_399 * SECOND)


def ns(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("window", "at", "begins", "ends"),
    [
        ("minute", "2026-11-21T15:04:59", "2026-11-21T15:04:00", "2026-11-21T15:05:00"),
        ("hour", "2026-11-21T23:59:59", "2026-11-21T23:00:00", "2026-11-22T00:00:00"),
        ("day", "2026-12-31T23:59:59", "2026-12-31T00:00:00", "2027-01-01T00:00:00"),
        ("week", "2026-11-22T23:59:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("week", "2026-11-23T00:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("week", "2027-01-01T12:00:00", "2026-12-28T00:00:00", "2027-01-04T00:00:00"),
        ("week", "1970-01-05T00:00:00", "1970-01-05T00:00:00", "1970-01-12T00:00:00"),
        ("week", "1970-01-02T00:00:00", "1970-01-01T00:00:00", "1970-01-05T00:00:00"),
        ("month", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("month", "2028-02-29T12:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ("month", "2100-02-28T23:59:59", "2100-02-01T00:00:00", "2100-03-01T00:00:00"),
        ("month", "2026-01-31T00:00:00", "2026-01-01T00:00:00", "2026-02-01T00:00:00"),
        ("month", "2199-12-31T23:59:59", "2199-12-01T00:00:00", "2200-01-01T00:00:00"),
    ],
)
def test_a_calendar_window_begins_and_ends_by_utc(window, at, begins, ends):
    assert windows.window_of(window, ns(at)) == ns(begins)
    assert windows.ends_ns(window, ns(at)) == ns(ends)


@given(st.sampled_from(windows.CALENDAR), moments)
def test_a_calendar_window_holds_its_moment_and_the_next_begins_where_it_ends(window, at):
    begins, ends = windows.window_of(window, at), windows.ends_ns(window, at)
    last = min(ends, 7_258_118_400 * SECOND) - 1

    assert begins <= at < ends
    assert windows.window_of(window, last) == begins
    if ends < 7_258_118_400 * SECOND:
        assert windows.window_of(window, ends) == ends
    assert windows.counts_from_ns(window, at) == begins


@given(st.sampled_from(EVERY[-4:]), moments, st.integers(0, 400 * 86_400 * SECOND))
def test_a_rolling_window_frees_never_early_and_at_most_a_sixtieth_late(window, charged, passed):
    now = min(charged + passed, 7_258_118_399 * SECOND)
    length = int(window.partition(":")[2]) * SECOND

    counts = windows.window_of(window, charged) >= windows.counts_from_ns(window, now)

    if now - charged <= length:
        assert counts
    if now - charged > length + windows.bucket_ns(window):
        assert not counts


@given(st.sampled_from(EVERY[-4:]), st.integers(0, 6_000_000_000 * SECOND))
def test_a_bucket_stops_counting_exactly_when_it_is_said_to_free(window, at):
    bucket = windows.window_of(window, at)
    frees = windows.frees_ns(window, at, bucket)

    assert windows.counts_from_ns(window, frees - 1) <= bucket < windows.counts_from_ns(window, frees)
    assert 60 * windows.bucket_ns(window) >= int(window.partition(":")[2]) * SECOND


def test_a_total_never_ends_and_a_rolling_window_has_no_end():
    assert windows.window_of("total", 5) == 0
    assert windows.ends_ns("total", 5) is None
    assert windows.frees_ns("total", 5) is None
    assert windows.ends_ns("rolling:60", 5) is None


@pytest.mark.parametrize("text", EVERY)
def test_a_window_that_there_is_is_taken_as_it_stands(text):
    assert windows.check_window(text) == text


def test_leading_zeros_make_no_other_window():
    assert windows.check_window("rolling:00060") == "rolling:60"


@pytest.mark.parametrize(
    "text",
    ["", "year", "Day", "rolling", "rolling:", "rolling:59", "rolling:0", "rolling:-60", "rolling:1e3", "rolling:60.0",
     "rolling:31622401", "rolling:" + "9" * 500, "rolling:٦٠", " day", "days:1"],
)  # fmt: skip
def test_a_window_that_there_is_not_is_refused_by_name_with_what_to_say(text):
    with pytest.raises(QuotaInvalidError, match=r"Next: say ") as told:
        windows.check_window(text)

    assert len(str(told.value)) < 300


@pytest.mark.parametrize("at", [-1, 7_258_118_400 * SECOND, 10**30, 1.5, True, None])
@pytest.mark.parametrize("window", EVERY)
def test_a_moment_that_no_clock_tells_is_refused(window, at):
    with pytest.raises(QuotaInvalidError, match="is no moment"):
        windows.window_of(window, at)


@pytest.mark.parametrize("amount", [-1, MOST + 1, 1.5, True, None, "5", float("nan")])
def test_an_amount_that_can_be_none_is_refused_with_what_can(amount):
    with pytest.raises(QuotaInvalidError, match="whole number from 0"):
        check_amount("tokens", amount)


@pytest.mark.parametrize("amount", [0, 1, MOST])
def test_nothing_and_very_much_are_amounts(amount):
    assert check_amount("nano_usd", amount) == amount


def test_a_unit_that_there_is_not_is_refused():
    with pytest.raises(QuotaInvalidError, match="'euros' is no unit"):
        check_amount("euros", 5)


@pytest.mark.parametrize(
    ("kind", "scope", "project"),
    [("team", "blue", "p"), ("project", "p", "p"), ("project", "", None), ("organisation", "", "p"), ("key", "", "p")],
)
def test_a_scope_that_says_too_little_or_too_much_is_refused(kind, scope, project):
    with pytest.raises(QuotaInvalidError, match="Next: "):
        check_scope(kind, scope, project)


@pytest.mark.parametrize(
    ("kind", "scope", "project"),
    [("project", "", "p"), ("organisation", "", None), ("key", "k", "p"), ("tag", "t", None)],
)
def test_a_scope_that_says_what_it_needs_is_one(kind, scope, project):
    check_scope(kind, scope, project)
