"""Whether the answer is the reference itself: the same JSON value, or the same text but for white space around it."""

import unicodedata
from typing import Any

from .protocol import Answered, Row, Scorer, texts


def judge(answer: Answered, row: Row) -> float | None:
    """1 or 0. A row's `output` is compared as a JSON value, otherwise its `answer` as text; None where it has neither."""
    if row.get("output") is not None:
        return float(_same(answer.output, row["output"]))
    references = texts(row.get("answer"))
    if references is None:
        return None
    return float(_plain(answer.text) in {_plain(reference) for reference in references})


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


EXACT = Scorer(name="exact", help="the answer equals the reference", needs="output or answer", binary=True, judge=judge)
