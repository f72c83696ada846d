"""What the docstring of a module or class says, in a line, of each thing in it: `heappush(heap, item) # pushes a new item ...`.

Such a line often names a thing in other words than its own docstring does. Knows lines, no object.
"""

import re
from collections.abc import Iterator

_LINE = re.compile(
    r"""
    ^(?P<indent>[ \t]*) (?:[*+-][ ]+)?                      # a bullet, perhaps
    [`'"]* (?P<name>[A-Za-z_]\w*) [`'"]* (?:\([^)\n]*\))?   # the name, perhaps as a call
    (?:,[ ]*\w+\(\))* [`'"]*                                # and further names that the line is about
    (?:[ \t]+(?:-+>?|:|=>|\#)[ \t]+ | :[ ] | [ \t]{2,} | \t+)
    (?P<said>[^\s=-].*)$
    """,
    re.VERBOSE,
)
_CONTINUED = 8  # columns by which a continuation stands further in than its line
_MOST_LINES = 4


def overviews(text: str) -> Iterator[tuple[str, str]]:
    """Names and what is said of each, in the order of the lines; what is said has at least two words."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue
        said = [match["said"], *_continued(lines[number + 1 : number + _MOST_LINES], len(match["indent"]))]
        words = " ".join(said).strip()
        if " " in words:
            yield match["name"], words


def _continued(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        if not line.strip() or len(line) - len(line.lstrip()) < indent + _CONTINUED or _LINE.match(line):
            return
        yield line.strip()
