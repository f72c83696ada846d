"""The ground floor: ids sort, money is exact, cursors are ours, secrets stay shut."""

import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.kit.clock import FixedClock, to_datetime
from flyball.kit.errors import InvalidInputError, NotFoundError
from flyball.kit.hashing import canonical_json, content_hash
from flyball.kit.ids import new_id, new_span_id, new_trace_id
from flyball.kit.money import NANO, format_usd, parse_usd, price_of
from flyball.kit.paging import decode_cursor, encode_cursor, page_size
from flyball.kit.retry import backoff
from flyball.kit.secrets import Secret, hash_password, verify_password


def test_ids_sort_by_the_time_of_their_making():
    clock = FixedClock()
    first = new_id("run", clock.now_ns())
    clock.advance(0.002)

    assert first < new_id("run", clock.now_ns())
    assert len(first) == len("run_") + 26


def test_trace_and_span_ids_have_the_shape_of_opentelemetry():
    assert len(bytes.fromhex(new_trace_id())) == 16
    assert len(bytes.fromhex(new_span_id())) == 8


def test_a_clock_that_is_told_to_advance_does():
    clock = FixedClock(0)
    clock.advance(1.5)

    assert to_datetime(clock.now_ns()).isoformat() == "1970-01-01T00:00:01.500000+00:00"


@given(st.dictionaries(st.text(max_size=5), st.integers(-(2**50), 2**50), max_size=6))
def test_equal_values_have_equal_hashes_whatever_their_order(value):
    assert content_hash(value) == content_hash(dict(reversed(value.items())))
    assert msgspec.json.decode(canonical_json(value)) == value


@given(st.integers(0, 10**9), st.integers(0, 10**12))
def test_a_price_is_never_off_by_more_than_half_a_nano_dollar(tokens, nano_per_million):
    assert abs(price_of(tokens, nano_per_million) * 1_000_000 - tokens * nano_per_million) <= 500_000


@pytest.mark.parametrize("text", ["-1", "ten", "nan", "Infinity", ""])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="not an amount"):
        parse_usd(text)


def test_dollars_are_exact_in_nano_dollars():
    assert parse_usd("0.15") == 150_000_000
    assert parse_usd(0.1) + parse_usd(0.2) == parse_usd("0.3")
    assert format_usd(150_000) == "$0.000150"
    assert format_usd(12 * NANO) == "$12.00"


@given(st.integers(0, 2**63 - 1), st.text(max_size=40))
def test_a_cursor_gives_back_its_sort_key(number, text):
    assert decode_cursor(encode_cursor(number, text), int, str) == (number, text)


@pytest.mark.parametrize("cursor", ["", "x", "bm9wZQ", "WzFd", "é"])
def test_a_cursor_that_is_not_ours_is_refused(cursor):
    with pytest.raises(InvalidInputError, match="not one of ours"):
        decode_cursor(cursor, int, str)


def test_a_page_has_between_1_and_200_rows():
    assert (page_size(None), page_size(1), page_size(5000)) == (50, 1, 200)
    for none in (0, -3):
        with pytest.raises(InvalidInputError, match=f"a page of {none} rows is none"):
            page_size(none)


def test_a_secret_is_neither_shown_nor_serialised():
    secret = Secret("hunter2")

    assert "hunter2" not in f"{secret} {secret!r}"
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)


def test_a_password_verifies_against_its_own_verifier_alone():
    verifier = hash_password("correct horse")

    assert verify_password("correct horse", verifier)
    assert not verify_password("correct hors", verifier)
    assert not verify_password("correct horse", "plain$x")
    assert not verify_password("", "")


def test_waits_grow_and_stay_below_their_bound():
    waits = list(backoff(first=0.1, most=0.4, tries=6))

    assert len(waits) == 5
    assert all(0 <= wait <= 0.4 for wait in waits)


def test_an_error_says_what_to_do_next():
    error = NotFoundError("no model named 'fast'", next_step="flyball models list")

    assert str(error) == "no model named 'fast'. Next: flyball models list"
    assert (error.status, error.code) == (404, "not_found")
