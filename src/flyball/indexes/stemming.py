"""Porter's stemmer (1980): `connection`, `connected` and `connecting` become `connect`. English only; knows no stop words.

The five steps of the paper, each a table of endings. m counts the runs of vowels followed by consonants in a stem.
"""

import re
from functools import lru_cache

_STEP_2 = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("abli", "able"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
)
_STEP_3 = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
_STEP_4 = re.findall(r"\w+", "ement ance ence able ible ment ant ent ism ate iti ous ive ize ion al er ic ou")
_MEASURE = re.compile(r"[aeiou]+[^aeiou]+")
_SHORT = re.compile(r"(?:^|.*[^aeiou])[aeiouy][^aeiouwxy]$")


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of a lower-case word; words of one or two letters, and those with digits, stay as they are."""
    if len(word) <= 2 or not word.isascii() or not word.isalpha():
        return word
    for step in (_plurals, _past, _y_to_i, _double_endings, _ful_and_ness, _last_ending, _tidy):
        word = step(word)
    return word


def _plurals(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        base = word.removesuffix(ending)
        if base != word and _has_vowel(base):
            if base.endswith(("at", "bl", "iz")):
                return base + "e"
            if len(base) > 1 and base[-1] == base[-2] and base[-1] not in "aeioulsz":
                return base[:-1]
            return base + "e" if _measure(base) == 1 and _SHORT.match(_spelled(base)) else base
    return word


def _y_to_i(word: str) -> str:
    return word[:-1] + "i" if word.endswith("y") and _has_vowel(word[:-1]) else word


def _double_endings(word: str) -> str:
    return _replaced(word, _STEP_2)


def _ful_and_ness(word: str) -> str:
    return _replaced(word, _STEP_3)


def _last_ending(word: str) -> str:
    for ending in _STEP_4:
        base = word.removesuffix(ending)
        if base != word:
            if ending == "ion" and not base.endswith(("s", "t")):
                continue
            return base if _measure(base) > 1 else word
    return word


def _tidy(word: str) -> str:
    if word.endswith("e"):
        base, m = word[:-1], _measure(word[:-1])
        if m > 1 or (m == 1 and not _SHORT.match(_spelled(base))):
            word = base
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _replaced(word: str, table: tuple[tuple[str, str], ...]) -> str:
    for ending, instead in table:
        base = word.removesuffix(ending)
        if base != word:
            return base + instead if _measure(base) > 0 else word
    return word


def _measure(base: str) -> int:
    return len(_MEASURE.findall(_spelled(base)))


def _has_vowel(base: str) -> bool:
    return re.search("[aeiou]", _spelled(base)) is not None


def _spelled(base: str) -> str:
    """With each y that follows a consonant as the vowel that it is."""
    return re.sub(r"(?<=[^aeiou])y", "i", base)
