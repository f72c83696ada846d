"""Whether a text that grows can still become a JSON object. Anthropic's client reads a call's arguments at every piece of them.

It raises at the first character that no object could have there. Knows JSON, and nothing of blocks and events; keeps no text
but the beginning of a word, a number or an escape that a piece has cut in two.
"""

import re

_HEX = "[0-9a-fA-F]"
_PAIR = rf"[dD][89abAB]{_HEX}{{2}}"  # the first half of one
_ESCAPE = rf'\\(?:["\\/bfnrt]|u(?:[0-9a-ce-fA-CE-F]{_HEX}{{3}}|[dD][0-7]{_HEX}{{2}}|{_PAIR}\\u[dD][c-fC-F]{_HEX}{{2}}))'
_INSIDE = re.compile(rf'(?:[^"\\\x00-\x1f]+|{_ESCAPE})*')
_CUT_ESCAPE = re.compile(rf"\\(?:u(?:{_HEX}{{0,3}}|{_PAIR}(?:\\(?:u(?:[dD](?:[c-fC-F]{_HEX}?)?)?)?)?))?")
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = re.compile(r"[-+.0-9A-Za-z]+")
_WHOLE_WORD = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CUT_WORD = re.compile(
    r"t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|-|-?(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?:\.[0-9]+)?[eE][+-]?[0-9]*)?|true|false|null"
)
_ENDS = {"{": "}", "[": "]"}


class Growing:
    """One text. Once it is broken it stays so."""

    def __init__(self) -> None:
        self.broken = False
        self._wants = (
            "{"  # what may come next: {, K (a key or the end), k, :, V (a value or the end), v, a comma, or nothing
        )
        self._ends: list[str] = []  # what closes what is open
        self._inside = False  # of a string
        self._cut = ""

    @property
    def begun(self) -> bool:
        """Whether the object has begun."""
        return self._wants != "{"

    @property
    def whole(self) -> bool:
        """Whether it has ended."""
        return not self._wants

    def feed(self, piece: str) -> bool:
        """Whether it still can become an object with this piece."""
        text, at = self._cut + piece, 0
        self._cut = ""
        while not self.broken and at < len(text):
            at = self._string(text, at) if self._inside else self._between(text, at)
        return not self.broken

    def _string(self, text: str, at: int) -> int:
        at = _INSIDE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too
        if at == len(text):
            return at
        if text[at] == '"':
            self._inside = False
            self._wants = ":" if self._wants in "kK" else ","
            return at + 1
        return self._keep(text[at:], _CUT_ESCAPE, at)

    def _between(self, text: str, at: int) -> int:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too
        if at == len(text):
            return at
        if (word := _WORD.match(text, at)) is None:
            self.broken = not self._mark(text[at])
            return at + 1
        if self._wants not in ("v", "V"):
            self.broken = True
        elif word.end() == len(text):
            return self._keep(word[0], _CUT_WORD, at)
        elif _WHOLE_WORD.fullmatch(word[0]):
            self._wants = ","
        else:
            self.broken = True
        return word.end()

    def _keep(self, rest: str, beginning: re.Pattern[str], at: int) -> int:
        """The rest of a piece, which has to be the beginning of something."""
        self.broken = beginning.fullmatch(rest) is None
        self._cut = rest
        return at + len(rest)

    def _mark(self, mark: str) -> bool:
        """A character that stands for itself; False where it must not stand."""
        wants = self._wants
        if mark == '"':
            self._inside = wants in ("k", "K", "v", "V")
            return self._inside
        if mark in _ENDS:
            self._ends.append(_ENDS[mark])
            self._wants = "K" if mark == "{" else "V"
            return wants in ("v", "V") or wants == mark == "{"
        if mark in "}]":
            ended = self._ends.pop() if self._ends else ""
            self._wants = "," if self._ends else ""
            return ended == mark and wants in ((",", "K") if mark == "}" else (",", "V"))
        if mark == ",":
            self._wants = "k" if self._ends and self._ends[-1] == "}" else "v"
        elif mark == ":":
            self._wants = "v"
        return mark == wants
