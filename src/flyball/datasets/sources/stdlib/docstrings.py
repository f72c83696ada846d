"""Docstrings as text: cleaned, and parted from the call that those of C functions begin with. Knows no object."""

import inspect
import re
from typing import Any

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # an object's address is another one in every process

_RESULT = re.compile(r"[ \t]*-+>[ \t]*")
_TYPE = re.compile(r"(?:[\w\[\]()|, ]{1,30}?)(?=\.?[ \t]*\n|\.?$|\.  )")  # at most some words up to the end of the line
_LONGEST_CALL = 300


def cleaned(doc: Any) -> str:
    """The docstring without indentation and without what differs between processes; empty for anything but text."""
    return ADDRESS.sub("", inspect.cleandoc(doc)).strip() if isinstance(doc, str) else ""


def without_calls(name: str, doc: str) -> tuple[list[str], str]:
    """What the first lines say after the name, and the rest: `(["(sub) -> int"], "Return the number ...")`."""
    calls: list[str] = []
    while True:
        call, rest = _without_call(name, doc)
        if call:
            calls.append(call)
        if rest == doc:
            return calls, doc
        doc = rest


def _without_call(name: str, doc: str) -> tuple[str, str]:
    """One call and what follows; the docstring as it is where it does not begin with one.

    `S.count(sub) -> int`, `map(func, *iterables) --> map object`, `D.items() -> a set-like object providing ...`: a result
    of some words belongs to the call, a sentence is what the function does.
    """
    match = re.match(rf"(?:[A-Za-z]\w*\.)?{re.escape(name)}(?=\()", doc)
    end = _end_of_call(doc, match.end()) if match else 0
    if not match or not end:
        return "", doc
    call, rest = doc[match.end() : end], doc[end:]
    if result := _RESULT.match(rest):
        after = rest[result.end() :]
        if type_ := _TYPE.match(after):
            return f"{call} -> {type_[0].strip()}", after[type_.end() :].lstrip(". \t\n") or doc
        return call, after
    if rest.strip() and not rest.startswith("\n"):
        return call, doc  # the call stands inside a sentence
    return call, rest.strip() or doc


def _end_of_call(doc: str, start: int) -> int:
    """The end of the parentheses that open at `start`; 0 where they do not close soon."""
    depth = 0
    for position in range(start, min(len(doc), start + _LONGEST_CALL)):
        depth += {"(": 1, ")": -1}.get(doc[position], 0)
        if depth == 0:
            return position + 1
    return 0
