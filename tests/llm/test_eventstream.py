"""Amazon's event stream: held against botocore's own decoder, cut into any pieces, damaged, too long."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.llm.eventstream import EventstreamError, EventstreamParser


def text_header(text):
    data = text.encode()
    return 7, struct.pack(">H", len(data)) + data


NAMES = st.text("abcdefghijklmnopqrstuvwxyz:-", min_size=1, max_size=20)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-128, 127).map(lambda number: (2, struct.pack(">b", number))),
    st.integers(-(2**15), 2**15 - 1).map(lambda number: (3, struct.pack(">h", number))),
    st.integers(-(2**31), 2**31 - 1).map(lambda number: (4, struct.pack(">i", number))),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: (5, struct.pack(">q", number))),
    st.binary(max_size=30).map(lambda data: (6, struct.pack(">H", len(data)) + data)),
    st.text(max_size=30).map(text_header),
    st.integers(0, 2**40).map(lambda number: (8, struct.pack(">q", number))),
    st.binary(min_size=16, max_size=16).map(lambda data: (9, data)),
)
MESSAGES = st.tuples(st.dictionaries(NAMES, VALUES, max_size=4), st.binary(max_size=60))


def message(headers, payload):
    """One message, framed as the format says."""
    written = b""
    for name, value in headers.items():
        type_, data = (0 if value else 1, b"") if isinstance(value, bool) else value
        written += bytes([len(name.encode())]) + name.encode() + bytes([type_]) + data
    prelude = struct.pack(">II", 16 + len(written) + len(payload), len(written))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + written + payload
    return body + struct.pack(">I", zlib.crc32(body))


def event(kind, payload=b"{}"):
    return message(
        {
            ":message-type": text_header("event"),
            ":event-type": text_header(kind),
            ":content-type": text_header("application/json"),
        },
        payload,
    )


def parsed(pieces):
    parser, events = EventstreamParser(), []
    for piece in pieces:
        events += parser.feed(piece)
    return events + list(parser.finish())


@settings(max_examples=200, deadline=None)
@given(messages=st.lists(MESSAGES, max_size=5), data=st.data())
def test_any_messages_cut_anywhere_are_those_that_amazons_own_client_reads(messages, data):
    stream = b"".join(message(*one) for one in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    events = parsed(pieces)

    theirs = EventStreamBuffer()
    theirs.add_data(stream)
    expected = list(theirs)
    assert [found.data for found in events] == [found.payload for found in expected]
    assert b"".join(found.raw for found in events) == stream
    assert [found.name for found in events] == [named(found.headers) for found in expected]


def named(headers):
    """What an event is called, by the headers that botocore read."""
    texts = {name: value for name, value in headers.items() if isinstance(value, str)}
    kind = texts.get(":message-type", "event")
    if kind == "event":
        return texts.get(":event-type", "")
    return "exception:" + (texts.get(":exception-type") or texts.get(":error-code") or kind)


def test_an_event_has_its_types_name_and_its_payload():
    (found,) = parsed([event("contentBlockDelta", b'{"delta":{"text":"a"}}')])

    assert (found.name, found.data) == ("contentBlockDelta", b'{"delta":{"text":"a"}}')


def test_an_exception_has_its_own_name():
    thrown = message(
        {":message-type": text_header("exception"), ":exception-type": text_header("throttlingException")}, b"{}"
    )
    failed = message({":message-type": text_header("error"), ":error-code": text_header("InternalError")}, b"")

    assert [found.name for found in parsed([thrown + failed])] == [
        "exception:throttlingException",
        "exception:InternalError",
    ]


@pytest.mark.parametrize("at", [0, 3, 8, 11, 14, 30, -5, -1])
def test_one_changed_bit_is_no_event(at):
    damaged = bytearray(event("messageStart") + event("messageStop"))
    damaged[at] ^= 1

    with pytest.raises(EventstreamError):
        parsed([bytes(damaged)])


def test_a_message_that_never_ends_is_not_waited_for_beyond_the_formats_limit():
    prelude = struct.pack(">II", 25 * 1024 * 1024, 0)

    with pytest.raises(EventstreamError):
        EventstreamParser().feed(prelude + struct.pack(">I", zlib.crc32(prelude)))


def test_a_stream_that_ends_in_the_middle_of_a_message_is_told():
    whole = event("messageStop")

    with pytest.raises(EventstreamError, match="in the middle"):
        parsed([whole, whole[:20]])


def test_headers_that_reach_beyond_their_message_are_told():
    prelude = struct.pack(">II", 16, 400)
    body = prelude + struct.pack(">I", zlib.crc32(prelude))

    with pytest.raises(EventstreamError):
        parsed([body + struct.pack(">I", zlib.crc32(body))])


@pytest.mark.parametrize("headers", [b"\x05abc", b"\x01a\x63", b"\x01a\x07\x00", b"\x02\xff\xfe\x07\x00\x01a"])
def test_headers_that_are_none_are_told(headers):
    prelude = struct.pack(">II", 16 + len(headers), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers

    with pytest.raises(EventstreamError):
        parsed([body + struct.pack(">I", zlib.crc32(body))])
