"""How a batch of requests is taken apart: in pieces that fit into memory, each about as large as the others, since each becomes a file."""

from hypothesis import given
from hypothesis import strategies as st

from flyball.traces.columns import Origin
from flyball.traces.moving.requests import Request, in_pieces

ORIGIN = Origin("default", "key", 0)


def request(size):
    return Request(ORIGIN, size, b"", 1)


def sizes_of(pieces):
    return [[one.size for one in piece] for piece in pieces]


def test_what_fits_is_one_piece():
    assert sizes_of(in_pieces([request(4)] * 4, size=16)) == [[4, 4, 4, 4]]
    assert in_pieces([], size=16) == []


def test_what_does_not_fit_is_cut_into_pieces_that_are_alike():
    assert sizes_of(in_pieces([request(4)] * 5, size=16)) == [[4, 4, 4], [4, 4]]


def test_a_request_that_is_too_large_is_a_piece_of_its_own():
    assert sizes_of(in_pieces([request(1), request(40), request(1)], size=16)) == [[1], [40], [1]]


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 30))
def test_every_request_is_in_one_piece_in_its_order_and_no_piece_is_too_large(sizes, size):
    pieces = sizes_of(in_pieces([request(each) for each in sizes], size=size))

    assert [each for piece in pieces for each in piece] == sizes
    assert all(piece for piece in pieces)
    assert all(sum(piece) <= size or len(piece) == 1 for piece in pieces)
