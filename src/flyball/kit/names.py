"""Names that people choose for people and things: what may be one, and which of them look alike.

After Unicode's technical standard 39, as far as sign-in names need it: one script at a time (Japanese and Korean are
written with several), no invisible characters, and a key under which names that a reader takes for one another meet.
"""

import unicodedata

LONGEST = 100
_PUNCTUATION = frozenset(" ._-@+'")
_TOGETHER = (
    frozenset({"LATIN"}),
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
# Letters of other scripts that are drawn like Latin ones, in lower case; and within Latin what many typefaces draw alike.
_DRAWN_ALIKE = str.maketrans(
    "авсԁеһіјӏкмнорԛѕтуԝхүԍαβεηικνορτυχωγјıſ01|i",  # noqa: RUF001 -- that is the point
    "abcdehljlkmhopqstywxygabenlknoptuxwyjlsolll",
)


def problem_of(name: str) -> str:
    """Why this is no name; empty where it is one."""
    if not 1 <= len(name) <= LONGEST:
        return f"it has {len(name)} characters, and a name has 1 to {LONGEST}"
    if name != name.strip():
        return "it begins or ends with a space"
    if unicodedata.normalize("NFKC", name) != name:
        return "it has characters that stand for others (full-width, ligatures, unjoined accents)"
    odd = [char for char in name if not (_is_letter(char) or char in _PUNCTUATION or char in "0123456789")]
    if odd:
        return f"it has the character U+{ord(odd[0]):04X}; a name is letters, digits, spaces and . _ - @ + '"
    scripts = {unicodedata.name(char, "").split(" ")[0] for char in name if unicodedata.category(char).startswith("L")}
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        return f"it mixes the scripts {' and '.join(sorted(script.title() for script in scripts))}"
    return ""


def name_key(name: str) -> str:
    """What names that look alike have in common: equal for `Maria`, `maria`, and both with Cyrillic letters in them."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return folded.translate(_DRAWN_ALIKE).replace("rn", "m")


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM"
