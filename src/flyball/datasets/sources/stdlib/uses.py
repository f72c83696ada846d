"""How often the standard library's own source uses each of its names: what is used everywhere is asked about more.

Counts files, not occurrences. A static rank for retrieval, and a fact about the document.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_CALL = re.compile(r"(?<![.\w])([A-Za-z_]\w*)\(")
_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+\(?([\w, \t]+)", re.MULTILINE)


class Uses:
    """Counted once over the source files of the given modules."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self._files: Counter[str] = Counter()
        for file in sorted({getattr(module, "__file__", None) or "" for module in modules}):
            if file.endswith(".py"):
                self._files.update(_names(Path(file).read_text(encoding="utf-8", errors="replace")))

    def of(self, titles: Iterable[str]) -> int:
        """Files that use a name, by the last two words of any of its titles (`path.join`), or by the builtin's name."""
        return max((self._files[".".join(title.split(".")[-2:])] for title in titles), default=0)


def _names(text: str) -> set[str]:
    names = set(_CALL.findall(text))
    for dotted in set(_DOTTED.findall(text)):
        words = dotted.split(".")
        names.update(f"{first}.{second}" for first, second in itertools.pairwise(words))
    for module, imported in _FROM.findall(text):
        names |= {f"{module.rpartition('.')[2]}.{name.strip()}" for name in imported.split(",")}
    return names
