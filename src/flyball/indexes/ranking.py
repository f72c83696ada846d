"""Which of the candidates answers best: BM25F over the fields, alternatives from the thesaurus, coverage, and use.

BM25F with k1 = 1.2: per term, the fields' frequencies are summed by weight, each normalised by its field's length with b,
and the sum saturates once. A term weighs the square root of idf = ln(1 + (N - n + 0.5) / (n + 0.5)) over passages: with idf
itself, an everyday word of the question that happens to be rare in documentation would decide. Equal scores order by id.
"""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from . import thesaurus
from .analysis import Fields

VERSION = 1

_K1 = 1.2
_ALTERNATIVE = 0.3  # what an alternative of the asked word counts
_COVERAGE = 0.3  # exponent: an answer to the whole question goes before one to a rare word in it
_USE = 1.0  # what being used everywhere adds at most
_COVERED = 0.2  # the frequency from which a term counts as covered


class _Field(NamedTuple):
    weight: float
    b: float


# In the order of `Fields`.
_FIELDS = (
    _Field(1.5, 0.5),  # names
    _Field(0.5, 0.75),  # signature
    _Field(2.5, 0.6),  # summary
    _Field(1.0, 0.75),  # text
)


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What ranking needs to know of the whole index: passages, mean lengths by field, and passages per term."""

    passages: int
    lengths: tuple[float, ...]
    frequencies: dict[str, int]


class Candidate(NamedTuple):
    """A passage that may answer: its id, its terms by field, and its static weight from -1 to 1."""

    id: str
    fields: Fields
    weight: float


class Ranked(NamedTuple):
    """The place of the candidate in what was given, and its score."""

    position: int
    score: float


def rank(query: Sequence[str], candidates: Sequence[Candidate], statistics: Statistics) -> list[Ranked]:
    """The candidates that share a term with the query, best first."""
    asked = [(term, thesaurus.alternatives(term), math.sqrt(_weight(term, statistics))) for term in query]
    total = sum(weight for _, _, weight in asked)
    wanted = {word for term, others, _ in asked for word in (term, *others)}
    ranked = []
    for position, candidate in enumerate(candidates):
        frequencies = _frequencies(candidate.fields, wanted, statistics.lengths)
        score = covered = 0.0
        for term, others, weight in asked:
            found = frequencies.get(term, 0.0) + _ALTERNATIVE * sum(frequencies.get(other, 0.0) for other in others)
            score += weight * found / (_K1 + found)
            covered += weight if found > _COVERED else 0.0
        if score > 0:
            score = score * (covered / total) ** _COVERAGE + _USE * candidate.weight
            ranked.append(Ranked(position, score))
    return sorted(ranked, key=lambda one: (-one.score, candidates[one.position].id))


def _weight(term: str, statistics: Statistics) -> float:
    """The term's idf; of a term that no passage has, the best of its alternatives', discounted."""
    if term in statistics.frequencies:
        return _idf(statistics.frequencies[term], statistics.passages)
    known = [statistics.frequencies[other] for other in thesaurus.alternatives(term) if other in statistics.frequencies]
    return max((_ALTERNATIVE * _idf(count, statistics.passages) for count in known), default=0.0)


def _idf(count: int, passages: int) -> float:
    return math.log(1 + (passages - count + 0.5) / (count + 0.5))


def _frequencies(fields: Fields, wanted: AbstractSet[str], lengths: Sequence[float]) -> dict[str, float]:
    """Per wanted term, its frequencies in the fields, normalised and weighted."""
    found: dict[str, float] = {}
    for words, field, mean in zip(fields, _FIELDS, lengths, strict=True):
        share = field.weight / (1 - field.b + field.b * len(words) / (mean or 1.0))
        for word in words:
            if word in wanted:
                found[word] = found.get(word, 0.0) + share
    return found
