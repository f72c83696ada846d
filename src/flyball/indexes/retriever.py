"""Searching an index version: candidates by LanceDB's BM25, the best of them by `ranking`. Blocking, fast, deterministic.

An embedder joins later behind this same `search`. Opened versions are kept, so a search costs some milliseconds.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from lancedb.query import BooleanQuery, FullTextQuery, MatchQuery, Occur

from flyball.infra.layout import Layout

from . import files, thesaurus
from .analysis import Fields, query_terms
from .errors import IndexFilesMissingError, IndexInvalidError
from .files import SEARCHED, Opened
from .ranking import Candidate, rank
from .records import IndexVersion, Passage

LARGEST_K = 100

_CANDIDATES = 300
_ALTERNATIVE = 0.3
_OPEN_AT_MOST = 8
_COLUMNS = ["chunk_id", "document_id", "weight", *(f"{name}_terms" for name in Fields._fields)]
_PASSAGE = ["title", "source", "licence", "document_hash", "start", "end", "text"]

_opened: OrderedDict[tuple[str, str], Opened] = OrderedDict()
_lock = threading.Lock()


def search(layout: Layout, version: IndexVersion, query: str, k: int) -> list[Passage]:
    """The `k` best passages, best first: the best passage of each document, and only then further ones of the same.

    Raises:
        IndexFilesMissingError: the version's files are not here, or are damaged: rebuild the index.
        IndexInvalidError: `k` is not between 1 and 100.
    """
    if not 1 <= k <= LARGEST_K:
        raise IndexInvalidError(f"k = {k} passages cannot be asked for", next_step=f"ask for 1 to {LARGEST_K}")
    opened = _open(layout, version)
    terms = query_terms(query, opened.statistics.frequencies)
    if not terms:
        return []
    try:
        rows = _candidates(opened, terms)
    except (OSError, RuntimeError, ValueError) as error:
        close(layout, version)
        raise IndexFilesMissingError(version.name, version.version, f"{error}".splitlines()[0][:200]) from error
    candidates = [
        Candidate(row["chunk_id"], Fields(*(row[f"{name}_terms"].split() for name in Fields._fields)), row["weight"])
        for row in rows
    ]
    ranked = rank(terms, candidates, opened.statistics)
    chosen = _one_of_each_document_first([(rows[one.position], one.score) for one in ranked])[:k]
    return [_passage(row, score) for row, score in chosen]


def close(layout: Layout, version: IndexVersion) -> None:
    """Forget an opened version, so that the next search opens its files anew."""
    with _lock:
        _opened.pop((str(layout.indexes), version.id), None)


def _open(layout: Layout, version: IndexVersion) -> Opened:
    key = (str(layout.indexes), version.id)
    with _lock:
        if key in _opened:
            _opened.move_to_end(key)
            return _opened[key]
        opened = _opened[key] = files.open_(layout, version)
        while len(_opened) > _OPEN_AT_MOST:
            _opened.popitem(last=False)
        return opened


def _candidates(opened: Opened, terms: Sequence[str]) -> list[dict[str, Any]]:
    asked = " ".join(terms)
    others = " ".join(dict.fromkeys(other for term in terms for other in thesaurus.alternatives(term)))
    parts = [_match(asked, column, boost) for column, boost in SEARCHED.items()]
    if others:
        parts += [_match(others, column, boost * _ALTERNATIVE) for column, boost in SEARCHED.items()]
    found = (
        opened.table.search(BooleanQuery(parts), query_type="fts")
        .select([*_COLUMNS, *_PASSAGE, "_score"])
        .limit(_CANDIDATES)
    )
    rows: list[dict[str, Any]] = found.to_arrow().to_pylist()
    return rows


def _match(words: str, column: str, boost: float) -> tuple[Occur, FullTextQuery]:
    return Occur.SHOULD, MatchQuery(words, column, boost=boost)  # type: ignore[call-arg] # its defaults are not declared as such


def _one_of_each_document_first(ranked: list[tuple[dict[str, Any], float]]) -> list[tuple[dict[str, Any], float]]:
    first: list[tuple[dict[str, Any], float]] = []
    further: list[tuple[dict[str, Any], float]] = []
    seen: set[str] = set()
    for row, score in ranked:
        (further if row["document_id"] in seen else first).append((row, score))
        seen.add(row["document_id"])
    return first + further


def _passage(row: dict[str, Any], score: float) -> Passage:
    shown = {name: row[name] for name in ("chunk_id", "document_id", *_PASSAGE)}
    return Passage(**shown, score=round(score, 6))
