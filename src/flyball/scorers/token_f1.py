"""Overlap of words between an answer and its reference, as SQuAD's script counts it. Knows no language but English articles."""

import re
import string
from collections import Counter

from .protocol import Answered, Row, Scorer, texts

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def judge(answer: Answered, row: Row) -> float | None:
    """The best F1 over the row's accepted `answer` texts; None where it has none."""
    references = texts(row.get("answer"))
    if references is None:
        return None
    return max(token_f1(answer.text, reference) for reference in references)


def token_f1(prediction: str, reference: str) -> float:
    """Harmonic mean of the words' precision and recall; two texts without any word agree, one without does not."""
    found, expected = words(prediction), words(reference)
    if not found or not expected:
        return float(found == expected)
    common = sum((Counter(found) & Counter(expected)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(found), common / len(expected)
    return 2 * precision * recall / (precision + recall)


def words(text: str) -> list[str]:
    """SQuAD's normalisation: lower case, no punctuation, no articles, split at white space."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


TOKEN_F1 = Scorer(
    name="token_f1",
    help="overlap of words with the reference answer (SQuAD F1)",
    needs="answer",
    binary=False,
    judge=judge,
)
