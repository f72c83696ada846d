"""1 over the rank of the first expected document; its mean over items is the MRR. Knows rankings of titles alone."""

from .protocol import Answered, Row, Scorer, texts


def judge(answer: Answered, row: Row) -> float | None:
    """1, 1/2, 1/3 and so on; 0 where no expected document was retrieved; None where the row expects none."""
    expected = texts(row.get("expected"))
    if expected is None:
        return None
    for rank, title in enumerate(answer.retrieved, start=1):
        if title in expected:
            return 1 / rank
    return 0.0


RECIPROCAL_RANK = Scorer(
    name="reciprocal_rank",
    help="1 over the rank of the first expected document (its mean is the MRR)",
    needs="expected",
    binary=False,
    judge=judge,
)
