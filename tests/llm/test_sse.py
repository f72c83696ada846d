"""The parser of server-sent events, under any split of the bytes."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.llm.sse import EventParser, EventTooLongError

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
TEXT = st.text(st.characters(blacklist_characters="\r\n\ufeff", blacklist_categories=["Cs"]), max_size=30).map(
    str.encode
)


@st.composite
def streams(draw):
    """Bytes of a stream, and the data and names that a reader must find in it."""
    stream, expected = b"", []
    for _ in range(draw(st.integers(0, 5))):
        end = draw(LINE_ENDS)
        name = draw(st.sampled_from([b"", b"ping", b"message"]))
        data = draw(st.lists(TEXT, min_size=1, max_size=3))
        comment = draw(st.sampled_from([b"", b": keep-alive"]))
        lines = [line for line in (comment, b"event: " + name if name else b"") if line]
        lines += [b"data: " + line for line in data]
        stream += end.join(lines) + end + end
        expected.append((b"\n".join(data), name.decode()))
    return stream, expected


def pieces_of(data, cuts):
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(streams(), st.lists(st.integers(0, 10_000), max_size=20))
def test_events_are_the_same_however_the_bytes_are_split(stream, cuts):
    data, expected = stream
    parser = EventParser()

    events = [event for piece in pieces_of(data, cuts) for event in parser.feed(piece)]
    events += parser.finish()

    assert [(event.data, event.name) for event in events] == expected


@given(streams(), st.lists(st.integers(0, 10_000), max_size=20))
def test_a_relay_of_raw_events_loses_no_byte(stream, cuts):
    data, _ = stream
    parser = EventParser()

    raw = b"".join(event.raw for piece in pieces_of(data, cuts) for event in parser.feed(piece)) + parser.rest

    # A lone CR at the end of an event may keep its LF for the next one; nothing else moves, and nothing is lost.
    assert re.sub(rb"\r?\n|\r", b"\n", raw) == re.sub(rb"\r?\n|\r", b"\n", data)


@given(st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=10))
def test_no_bytes_at_all_make_it_fail(data, cuts):
    parser = EventParser()

    for piece in pieces_of(data, cuts):
        parser.feed(piece)


def test_one_byte_at_a_time_a_code_point_survives():
    parser = EventParser()

    events = [event for byte in "data: grüße 🦉\r\n\r\n".encode() for event in parser.feed(bytes([byte]))]

    assert [event.data.decode() for event in events] == ["grüße 🦉"]


def test_a_byte_order_mark_is_no_part_of_the_first_event():
    parser = EventParser()

    events = parser.feed(b"\xef\xbb") + parser.feed(b"\xbfdata: x\n\n")

    assert [event.data for event in events] == [b"x"]


def test_a_comment_alone_is_an_event_without_data_so_that_it_can_be_relayed():
    events = EventParser().feed(b": ping\n\n")

    assert [(event.raw, event.data) for event in events] == [(b": ping\n\n", b"")]


def test_an_event_of_a_megabyte_in_small_pieces_is_parsed_in_linear_time():
    parser = EventParser()
    line = b"data: " + b"x" * 1_000_000 + b"\n\n"

    events = [event for at in range(0, len(line), 4096) for event in parser.feed(line[at : at + 4096])]

    assert [len(event.data) for event in events] == [1_000_000]


def test_an_event_without_end_is_refused_at_the_limit():
    parser = EventParser(longest=1000)

    with pytest.raises(EventTooLongError, match="longer than 1000 bytes"):
        parser.feed(b"data: " + b"x" * 1001)


def test_an_unfinished_last_event_is_given_at_the_end():
    parser = EventParser()
    parser.feed(b"data: [DONE]\n")

    assert [event.data for event in parser.finish()] == [b"[DONE]"]
