"""Cutting a document into passages by its structure: headings, paragraphs, code blocks, and sentences where one is too long.

A passage is a place, `text[start:end]`, so that a citation of it is exact. Knows plain structure that Markdown,
reStructuredText and docstrings share; knows no format beyond that.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from .records import ChunkSettings

_BLANK = re.compile(r"\n[ \t\r]*\n\s*")
_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
_MARKDOWN_HEADING = re.compile(r"(#{1,6})[ \t]+(\S[^\n]*)")
_UNDERLINED_HEADING = re.compile(r"(\S[^\n]*)\n([=\-~^\"'*+#])\2{2,}[ \t]*(?=\n|$)")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+|\n")
_SMALL = 4  # a heading opens a new passage once the one before has a quarter of the size


class Chunk(NamedTuple):
    """A passage: its place in the document and the headings above it."""

    start: int
    end: int
    headings: tuple[str, ...]


class _Block(NamedTuple):
    start: int
    end: int
    heading: str
    level: int  # 0: no heading


def chunks(text: str, settings: ChunkSettings) -> list[Chunk]:
    """The passages of a document, in order. They cover every character but white space between blocks."""
    found: list[Chunk] = []
    start = end = -1
    above: list[tuple[int, str]] = []
    current: tuple[str, ...] = ()
    for block in _sized(text, settings.size):
        too_long = start >= 0 and block.end - start > settings.size
        opens = block.level > 0 and start >= 0 and end - start >= settings.size // _SMALL
        if too_long or opens:
            found.append(Chunk(_overlapped(text, start, settings.overlap, found), end, current))
            start = -1
        if block.level:
            above = [heading for heading in above if heading[0] < block.level] + [(block.level, block.heading)]
        if start < 0:
            start, current = block.start, tuple(heading for _, heading in above)
        end = block.end
    if start >= 0:
        found.append(Chunk(_overlapped(text, start, settings.overlap, found), end, current))
    return found


def _overlapped(text: str, start: int, overlap: int, before: list[Chunk]) -> int:
    """Up to `overlap` characters earlier, at the beginning of a word, never before the passage before."""
    if not overlap or not before:
        return start
    earliest = max(start - overlap, before[-1].start + 1)
    match = re.compile(r"(?<=\s)\S").search(text, earliest, start)
    return match.start() if match else start


def _sized(text: str, size: int) -> Iterator[_Block]:
    """Blocks, those above the size cut at sentences, lines or words."""
    for block in _blocks(text):
        start, level = block.start, block.level
        while block.end - start > size:
            cut = _cut(text, start, start + size)
            piece = text[start:cut]
            yield _Block(start, start + len(piece.rstrip()), block.heading, level)
            rest = text[cut : block.end]
            start, level = block.end - len(rest.lstrip()), 0
        if start < block.end:
            yield _Block(start, block.end, block.heading, level)


def _cut(text: str, start: int, limit: int) -> int:
    """The last end of a sentence or line in the second half before the limit; else of a word; else the limit."""
    half = start + (limit - start) // 2
    ends = [match.end() for match in _SENTENCE_END.finditer(text, half, limit)]
    if ends:
        return ends[-1]
    space = max(text.rfind(" ", half, limit), text.rfind("\t", half, limit))
    return space + 1 if space >= 0 else limit


def _blocks(text: str) -> Iterator[_Block]:
    """Paragraphs and whole code blocks; a heading is a block of its own kind with what stands below it in the paragraph."""
    for start, end in _paragraphs(text):
        markdown = _MARKDOWN_HEADING.match(text, start, end)
        underlined = _UNDERLINED_HEADING.match(text, start, end)
        if markdown:
            yield _Block(start, end, markdown[2].strip(" #"), len(markdown[1]))
        elif underlined:
            yield _Block(start, end, underlined[1].strip(), 1 + "=-~^\"'*+#".index(underlined[2]))
        else:
            yield _Block(start, end, "", 0)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Stretches between blank lines; a fenced code block with blank lines inside is one."""
    fences = [match.start() for match in _FENCE.finditer(text)]
    fenced = list(zip(fences[::2], fences[1::2], strict=False))
    position = len(text) - len(text.lstrip())
    for match in _BLANK.finditer(text, position):
        inside = any(first <= match.start() < last for first, last in fenced[:200])
        if inside or match.start() <= position:
            continue
        yield position, match.start()
        position = match.end()
    end = len(text.rstrip())
    if position < end:
        yield position, end
