"""Text that somebody else wrote, made harmless to look at: no control sequence, no turned direction, nothing hidden.

A terminal obeys escape sequences and carriage returns, and a reader believes what the order of characters shows. Knows
characters; knows neither terminals nor pages.
"""

import re

SYMBOL = "\N{SYMBOL FOR SUBSTITUTE FORM TWO}"
# C0 but tab, line feed and carriage return; DEL; C1, which some terminals obey as well; marks that turn the direction.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNSEEN_IN_JSON = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with a symbol in place of each character that would act instead of being shown."""
    return _UNSEEN.sub(SYMBOL, text)


def for_terminal(text: str) -> str:
    """The same for a terminal, where a carriage return would let a line overwrite itself; one at a line's end only ends it."""
    return visible(text.replace("\r\n", "\n").replace("\r", SYMBOL))


def json_for_terminal(text: str) -> str:
    """JSON with the characters escaped that JSON allows and terminals obey; it means the same."""
    return _UNSEEN_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
