"""Whether an expected document is among the first k retrieved. Knows rankings of titles, nothing of retrieval."""

from functools import partial

from .protocol import Answered, Row, Scorer, texts

LARGEST_K = 100


def hit_at_k(k: int) -> Scorer:
    """The scorer `hit_at_<k>`: 1 where one of the row's `expected` titles is among the first k documents, else 0."""
    return Scorer(
        name=f"hit_at_{k}",
        help=f"an expected document is among the first {k} retrieved",
        needs="expected",
        binary=True,
        judge=partial(_judge, k),
    )


def _judge(k: int, answer: Answered, row: Row) -> float | None:
    expected = texts(row.get("expected"))
    if expected is None:
        return None
    return float(not set(expected).isdisjoint(answer.retrieved[:k]))
