"""Two ways to answer from passages without a model. Both only quote: every word of an answer stands in a source.

`best_passage` quotes the opening of the best passage; `best_sentences` the sentences that say most of what was asked.
"""

import re
from typing import Any

from flyball.functions.records import Answer
from flyball.functions.rules import RuleTools

Place = tuple[int, int]  # from where to where in a passage's text

NOTHING = "Nothing in the documentation has any of these words."
LONGEST_QUOTE = 600
MOST_SENTENCES = 2
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"\S(?:[^.!?]|[.!?](?!\s|$))*[.!?]?", re.DOTALL)
_EXAMPLE = re.compile(r"\s*(>>>|\.\.\.|[-=*#+]{3})|\n+ {4}")


def best_passage(input_: dict[str, Any], tools: RuleTools) -> Answer:
    """The opening of the best passage: its signature and what it does, up to some hundred characters."""
    passages = tools.retrieve(input_["question"])
    if not passages:
        return Answer(text=NOTHING)
    best = passages[0]
    end = _opening(best.text)
    return Answer(text=best.text[:end], citations=(tools.cite(best, 0, end),))


def best_sentences(input_: dict[str, Any], tools: RuleTools) -> Answer:
    """The signature of the best passage, and the sentences of it that share most words with the question."""
    passages = tools.retrieve(input_["question"])
    if not passages:
        return Answer(text=NOTHING)
    best = passages[0]
    asked = _words(input_["question"])
    (first, *rest) = _sentences(best.text)
    chosen = sorted(sorted(rest, key=lambda place: _worth(place, best.text, asked))[:MOST_SENTENCES])
    citations = tuple(tools.cite(best, start, end) for start, end in (first, *chosen))
    return Answer(text="\n".join(citation.quote for citation in citations), citations=citations)


def _opening(text: str) -> int:
    """The end of the last paragraph that still fits."""
    ends = [match.start() for match in _PARAGRAPH.finditer(text)] + [len(text)]
    fitting = [end for end in ends if end <= LONGEST_QUOTE]
    return fitting[-1] if fitting else min(ends[0], LONGEST_QUOTE)


def _sentences(text: str) -> list[Place]:
    """Places of sentences; of paragraphs, where one is an example or has no sentence. The first is the first paragraph."""
    places: list[Place] = []
    start = 0
    for end in [match.start() for match in _PARAGRAPH.finditer(text)] + [len(text)]:
        if not places:
            places.append((0, min(end, LONGEST_QUOTE)))
        elif not _EXAMPLE.match(text, start):
            places += [match.span() for match in _SENTENCE.finditer(text, start, end)]
        start = end
    return places


def _worth(place: Place, text: str, asked: set[str]) -> tuple[int, int]:
    """Smaller is better: more of the asked words, then earlier."""
    start, end = place
    return -len(asked & _words(text[start:end])), start


def _words(text: str) -> set[str]:
    """Words without their usual endings, short ones left out."""
    return {re.sub(r"(ing|ed|es|s)$", "", word) for word in re.findall(r"[a-z]{3,}", text.lower())}
