"""Two ways to describe values: JSON Schema, and the subset of OpenAPI's that Google's older fields take.

Google's own has types in capitals, `nullable`, counts as strings, and an order of properties. Nothing here knows a request.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.llm.fields import decoded

_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_SUBSET = frozenset((
    *("title", "description", "nullable", "pattern", "example", "default", "required", "minimum", "maximum"),
    *("propertyOrdering", *_COUNTS),
))  # fmt: skip
_ELSEWHERE = ("$defs", "definitions", "type", "anyOf", "oneOf", "enum", "const")
_FORMATS = ("enum", "date-time", "int32", "int64", "float", "double")
_DEEPEST = 64
_MOST = 5000  # references may refer to references
_COUNT = re.compile(r"[0-9]{1,18}")
_ENCODE = msgspec.json.encode


def to_json_schema(raw: msgspec.Raw, path: str) -> msgspec.Raw:
    """Google's schema as JSON Schema; one that is JSON Schema already keeps its bytes. Raises InvalidBodyError."""
    said = decoded(raw, path)
    found = _lowered(said)
    return raw if found == said else msgspec.Raw(_ENCODE(found))


def _lowered(said: Any, depth: int = 0) -> Any:
    if not isinstance(said, dict) or depth > _DEEPEST:
        return said
    depth += 1
    found: dict[str, Any] = {}
    for name, value in said.items():
        match name, value:
            case "type", str():
                found[name] = value.lower()
            case "properties", dict():
                found[name] = {one: _lowered(value[one], depth) for one in _ordered(value, said)}
            case (("anyOf" | "prefixItems"), list()):
                found[name] = [_lowered(one, depth) for one in value]
            case (("items" | "additionalProperties"), _):
                found[name] = _lowered(value, depth)
            case _ if name not in ("nullable", "propertyOrdering"):
                is_count = name in _COUNTS and isinstance(value, str) and _COUNT.fullmatch(value)
                found[name] = int(value) if is_count else value
    if said.get("nullable") is True:
        _add_null(found)
    return found


def _ordered(properties: dict[str, Any], said: dict[str, Any]) -> Iterable[str]:
    """The names of properties, those first for which Google's schema has an order."""
    order = said.get("propertyOrdering")
    first = [one for one in order if isinstance(one, str) and one in properties] if isinstance(order, list) else []
    return dict.fromkeys((*first, *properties))


def _add_null(found: dict[str, Any]) -> None:
    if isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    elif "anyOf" in found:
        found["anyOf"] = [*found["anyOf"], {"type": "null"}]
    if isinstance(found.get("enum"), list):
        found["enum"] = [*found["enum"], None]


class Subset:
    """Makes Google's subset of a JSON Schema. `dropped` has the paths of what it cannot say."""

    def __init__(self, raw: msgspec.Raw, path: str) -> None:
        self._root: Any = decoded(raw, path)
        self._path = path
        self._left = _MOST  # schemas that may still be made
        self._inside: list[str] = []  # references that are being followed
        self.dropped: list[str] = []

    @property
    def schema(self) -> dict[str, Any]:
        """The whole."""
        return self._of(self._root, self._path, 0)

    def _of(self, said: Any, path: str, depth: int) -> dict[str, Any]:
        self._left -= 1
        ref = said.get("$ref") if isinstance(said, dict) else None
        if not isinstance(said, dict) or depth > _DEEPEST or self._left < 0 or ref in self._inside:
            self._drop(path, isinstance(said, dict))
            return {"type": "OBJECT"} if ref else {}
        self._inside.append(ref or "#")
        said = self._resolved(said, path)
        found: dict[str, Any] = {}
        for name, value in said.items():
            here = f"{path}.{name}"
            if name in _SUBSET or (name == "format" and value in _FORMATS):
                found[name] = value
            elif name == "properties" and isinstance(value, dict):
                found[name] = {one: self._of(inner, f"{here}.{one}", depth + 1) for one, inner in value.items()}
            elif name == "items":
                found[name] = self._of(value, here, depth + 1)
            else:
                self._drop(here, name not in _ELSEWHERE)
        self._add_type(said, found, path, depth)
        self._inside.pop()
        return found

    def _resolved(self, said: dict[str, Any], path: str) -> dict[str, Any]:
        """With what it refers to in its place, and with the one or several that it is all of."""
        for _ in range(_DEEPEST):
            ref = said.get("$ref")
            if isinstance(ref, str):
                target: Any = self._root
                for step in ref.removeprefix("#").split("/")[1:]:
                    target = target.get(step) if isinstance(target, dict) else None
                self._drop(f"{path}.$ref", not isinstance(target, dict))
                said = {**(target if isinstance(target, dict) else {}), **_without(said, "$ref")}
            elif isinstance(several := said.get("allOf"), list) and all(isinstance(one, dict) for one in several):
                merged: dict[str, Any] = {}
                for one in several:
                    merged |= self._resolved(one, path)
                said = {**merged, **_without(said, "allOf")}
            else:
                return said
        return {}

    def _add_type(self, said: dict[str, Any], found: dict[str, Any], path: str, depth: int) -> None:
        """Types, alternatives and enumerations, and whether null is one of them."""
        types = said.get("type")
        names = [one for one in (types if isinstance(types, list) else [types]) if isinstance(one, str)]
        alternatives = said.get("anyOf", said.get("oneOf"))
        several = [one for one in alternatives if one != {"type": "null"}] if isinstance(alternatives, list) else []
        if "null" in names or (isinstance(alternatives, list) and len(several) < len(alternatives)):
            found["nullable"] = True
        plain = [one.upper() for one in names if one != "null"]
        if len(plain) == 1:
            found["type"] = plain[0]
        elif plain:
            several = several or [{"type": one.lower()} for one in plain]
        inner = [self._of(one, f"{path}.anyOf[{at}]", depth + 1) for at, one in enumerate(several)]
        if len(inner) == 1:
            found |= {name: value for name, value in inner[0].items() if name not in found}
        elif inner:
            found["anyOf"] = inner
        values = [said["const"]] if "const" in said else said.get("enum")
        if isinstance(values, list):
            words = [one for one in values if isinstance(one, str)]
            self._drop(f"{path}.enum", len(words) != len([one for one in values if one is not None]))
            found |= {"type": "STRING", "format": "enum", "enum": words} if words else {}

    def _drop(self, path: str, is_lost: bool = True) -> None:  # noqa: FBT001, FBT002 -- a condition
        if is_lost:
            self.dropped.append(path)


def _without(said: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != name}
