"""How a rule looks at a body that may hold anything: what is not there or not of its kind is empty. Knows no vendor."""

from collections.abc import Iterator
from typing import Any

Body = dict[str, Any]


def listed(value: Any, name: str) -> list[Body]:
    """The objects of a list below a name."""
    found = value.get(name) if isinstance(value, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def held(value: Any, name: str) -> Body:
    """The object below a name."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def number(value: Any, name: str) -> float | None:
    """The number below a name."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def given(body: Body) -> Iterator[str]:
    """The names of what is there and not null."""
    return (name for name, value in body.items() if value is not None)


def says_json(value: Any) -> bool:
    """Whether the word stands anywhere in it."""
    if isinstance(value, str):
        return "json" in value.lower()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(says_json(item) for item in inner)
