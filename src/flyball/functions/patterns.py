"""Patterns of JSON schemas, matched by RE2: in time linear in the text, whatever pattern and text are.

Python's `re` may take for ever on a text that a caller chose, and holds up everything else in the process while it does.
RE2 comes with Arrow. It knows neither back references nor look-arounds; a pattern that has any is refused where it is declared.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

_UNBOUNDED = ("patternProperties",)  # keywords that match by pattern elsewhere than in `pattern`


def problem_of(pattern: str) -> str:
    """Why a pattern cannot be used; empty: it can."""
    try:
        matches(pattern, "")
    except ValueError as error:
        return str(error).removeprefix("Invalid regular expression: ").split("\n", 1)[0]
    return ""


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text. Raises ValueError for one that RE2 does not know."""
    return _found_by()(pattern, text)


@cache
def _found_by() -> Callable[[str, str], bool]:
    arrow = import_module("pyarrow")  # heavy, and the gateway imports this room: only who meets a pattern loads it
    compute = import_module("pyarrow.compute")

    def found(pattern: str, text: str) -> bool:
        return bool(compute.match_substring_regex(arrow.scalar(text, arrow.string()), pattern=pattern).as_py())

    return found


def problems(schema: Any, path: str = "") -> Iterator[str]:
    """Every pattern of a schema that cannot be used, with its place."""
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from problems(item, f"{path}[{number}]")
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        place = f"{path}.{keyword}"
        if keyword == "pattern" and isinstance(value, str):
            if why := problem_of(value):
                yield f"{place} {value!r:.60} cannot be used: {why}"
        elif keyword in _UNBOUNDED and isinstance(value, dict) and not path.endswith(".properties"):
            yield f"{place} is not available; name the properties under `properties`"
        else:
            yield from problems(value, place)
