"""Words that stand for each other in questions and documentation: `delete` finds `remove`, `folder` finds `directory`.

The groups are data (`thesaurus.txt`). `VERSION` is part of every index version's hash.
"""

from functools import cache
from importlib.resources import files

from .stemming import stem

VERSION = 1


def alternatives(term: str) -> tuple[str, ...]:
    """The terms that may stand for a term, sorted."""
    return _groups().get(term, ())


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    text = files(__package__).joinpath("thesaurus.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        stems = {stem(word) for word in line.split()}
        for word in stems:
            found.setdefault(word, set()).update(stems - {word})
    return {word: tuple(sorted(others)) for word, others in found.items()}
