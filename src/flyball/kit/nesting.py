"""How deep a JSON text nests, told before it is parsed. Knows brackets and strings, and nothing else of JSON."""

import re

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ALIKE = bytes.maketrans(b"[{]}", b"(())")
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[{]}")


def nests_deeper(data: bytes, most: int) -> bool:
    """Whether arrays and objects nest deeper than `most`. Linear passes in C: at most `most` of them over the brackets alone."""
    if data.count(b"{") + data.count(b"[") <= most:
        return False
    brackets = _STRINGS.sub(b"", data).translate(_ALIKE, _NO_BRACKETS)
    for _ in range(most):
        shallower = brackets.replace(b"()", b"")
        if len(shallower) == len(brackets):
            break
        brackets = shallower
    return b"()" in brackets or brackets.count(b"(") > most
