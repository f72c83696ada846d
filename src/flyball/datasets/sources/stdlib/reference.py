"""What the language reference says of the methods of `str` and `dict`, whose docstrings are terse. Comes with `help`.

Knows the layout of `pydoc_data.topics`; a Python without it, or with another layout, gives nothing.
"""

import itertools
import re
import textwrap

try:
    from pydoc_data.topics import topics
except ImportError:  # some distributions leave it out
    topics: dict[str, str] = {}  # type: ignore[no-redef] # the module's own name for it

_TOPICS = {"string-methods": "str", "typesmapping": "dict"}
_ENTRY = re.compile(r"( *)(?:str\.)?([a-z_]+)\(.*\)")


def reference_texts() -> dict[str, str]:
    """The reference's text by title, such as `str.partition`."""
    found: dict[str, str] = {}
    for topic, type_ in _TOPICS.items():
        lines = topics.get(topic, "").split("\n")
        for number, line in enumerate(lines):
            if entry := _ENTRY.fullmatch(line):
                found.setdefault(f"{type_}.{entry[2]}", _below(lines[number + 1 :], len(entry[1])))
    return found


def _below(lines: list[str], indent: int) -> str:
    """The lines that are indented deeper, up to the first that is not."""
    deeper = itertools.takewhile(lambda line: not line.strip() or line.startswith(" " * (indent + 1)), lines)
    return textwrap.dedent("\n".join(deeper)).strip()
