"""From text to terms, the same for documents and questions: identifiers split, stop words dropped, words stemmed.

`VERSION` is part of every index version's hash: raise it with any change that alters a term.
"""

import re
from collections.abc import Container
from typing import Any, NamedTuple

from .stemming import stem

VERSION = 1
LONGEST_QUERY = 2000  # characters that are looked at
MOST_TERMS = 64
SHORTEST_JOINED = 6

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_NAME_PARTS = re.compile(r"\w+")
_SENTENCE = re.compile(r"\n\s*\n|(?<=[.!?])(?<!i\.e\.)(?<!e\.g\.)\s")
_HEADING = re.compile(r"#{1,6} +[^\n]*\n+|[^\n]+\n[=\-~^\"'*+#]{3,}\n+")

# The usual English function words, and those of which questions are made.
_FUNCTION_WORDS = """
a about again all also am an and any are as at be been being both but by can could did do does doing down each few for from
further get give had has have having he her here hers him his how i if in into is it its itself just let made make many
may me might more most much must my need no nor not now of off on once one only or other our out over own per same shall
she should so some such t than that the their them then there these they thing this those through to too under until up us
use used using very want was way we were what when where whether which while who whom whose why will with without would you
your
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())


class Fields(NamedTuple):
    """The terms of one passage, by where they stand."""

    names: list[str]
    signature: list[str]
    summary: list[str]
    text: list[str]


def terms(text: str) -> list[str]:
    """The terms of running text, in their order."""
    words = (word.lower() for word in _WORD.findall(text))
    return [stem(word) for word in words if word not in STOP_WORDS]


def name_terms(name: str) -> list[str]:
    """The terms of an identifier or title: each part whole and, where it is made of several words, these too."""
    found: list[str] = []
    for part in _NAME_PARTS.findall(name):
        words = _WORD.findall(part)
        found.append(part.lower())
        if len(words) > 1:
            found += [word.lower() for word in words]
    return [stem(word) for word in found if word not in STOP_WORDS]


def query_terms(query: str, known: Container[str] = ()) -> list[str]:
    """The terms of a question, each once: its words, its identifiers, and neighbours that are one word in `known`.

    People write `time zone` and `starts with` where names and documentation have `timezone` and `startswith`.
    """
    shown = query[:LONGEST_QUERY]
    identifiers = [part.lower() for part in _NAME_PARTS.findall(shown) if "_" in part]
    joined = [term for term in _joined(shown) if term in known]
    return list(dict.fromkeys([*terms(shown), *identifiers, *joined]))[:MOST_TERMS]


def _joined(text: str) -> list[str]:
    """Neighbouring words, two or three of them, as one."""
    words = [word.lower() for word in _WORD.findall(text)]
    runs = ("".join(words[start : start + count]) for count in (2, 3) for start in range(len(words) - count + 1))
    return [stem(run) for run in runs if len(run) >= SHORTEST_JOINED]


def passage_fields(title: str, data: dict[str, Any], headings: tuple[str, ...], text: str, *, first: bool) -> Fields:
    """The terms of a passage of a document with this title; `first` is the document's first passage.

    A document that documents a name says so in `data`: `signature` (its first paragraph), `aliases`, and `overview`, what
    other documents say of it in a line.
    """
    parent, _, own = title.rpartition(".")
    names = [*name_terms(own), *name_terms(own), *name_terms(parent)]
    for name in (*data.get("aliases", ()), *headings):
        names += name_terms(name)
    signature = str(data.get("signature", ""))
    body = text
    if first and signature:
        body = text.partition("\n\n")[2]
    summary = _SENTENCE.split(_HEADING.sub("", body, count=1), maxsplit=1)[0] if first else ""
    overview = " ".join(data.get("overview", ())) if first else ""
    parameters = signature.removeprefix(title)
    return Fields(names, name_terms(parameters), terms(f"{summary} {overview}"), terms(body))
