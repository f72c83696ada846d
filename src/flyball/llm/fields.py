"""JSON being taken apart: every field is taken by name and type, and what nobody took is left over, to be told.

Knows how a wrong field is named (`messages[3].content`), and nothing of any dialect's fields.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from .errors import InvalidBodyError

_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])


def top_level(body: bytes) -> dict[str, msgspec.Raw]:
    """A body's fields, their values still bytes. Raises InvalidBodyError."""
    try:
        return _TOP.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidBodyError(f"the body is not a JSON object: {error}") from None


def field(fields: Mapping[str, msgspec.Raw], name: str, type_: Any = Any, *, within: str = "") -> Any:
    """One field's value as `type_`; None where the caller did not send it. `within`: the path of the object that has it.

    Raises InvalidBodyError.
    """
    raw = fields.get(name)
    return None if raw is None else decoded(raw, f"{within}.{name}" if within else name, type_)


def decoded(raw: msgspec.Raw, path: str, type_: Any = Any) -> Any:
    """A value as `type_`. Raises InvalidBodyError, naming it."""
    try:
        return decoder(type_).decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidBodyError(f"the field {path!r} is wrong: {error}", param=path) from None


@cache
def decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a type. To make one takes longer than to use it."""
    return msgspec.json.Decoder(type_)


def usual(raw: msgspec.Raw | None, usual_ones: msgspec.json.Decoder[list[Any]]) -> list[Any]:
    """A list of values with the usual fields alone; empty where one has others or is wrong: then each is taken apart."""
    try:
        return [] if raw is None else usual_ones.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return []


def missing(name: str, what: str) -> InvalidBodyError:
    """The error for a field that has to be there."""
    return InvalidBodyError(f"the field {name!r} is missing", param=name, next_step=f"send {name!r}: {what}")


def wrong(path: str, expected: str, value: Any) -> InvalidBodyError:
    """The error for a value of the wrong type. The value itself is not repeated: it may be anything."""
    return InvalidBodyError(f"{path} is {_kind(value)}; expected {expected}", param=path)


class Fields:
    """One object. Each `take` empties it a little; `left` is what remains. The dictionary that it is given is used up."""

    __slots__ = ("_left", "path")

    def __init__(self, value: Any, path: str) -> None:
        if type(value) is not dict:
            raise wrong(path, "an object", value)
        self._left: dict[str, Any] = value
        self.path = path

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def text(self, name: str, default: str = "") -> str:
        """A string; absent and null are the default."""
        value = self._left.pop(name, None)
        if value is None:
            return default
        if type(value) is not str:
            raise wrong(self.at(name), "a string", value)
        return value

    def needed_text(self, name: str) -> str:
        """A string that has to be there."""
        value = self._left.pop(name, None)
        if type(value) is not str:
            raise wrong(self.at(name), "a string", value)
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        value = self._left.pop(name, None)
        if value is not None and type(value) is not bool:
            raise wrong(self.at(name), "true or false", value)
        return value

    def integer(self, name: str) -> int | None:
        """A whole number; 3.0 is one."""
        value = self._left.pop(name, None)
        if type(value) is float and value.is_integer():
            return int(value)
        if value is not None and type(value) is not int:
            raise wrong(self.at(name), "a whole number", value)
        return value

    def number(self, name: str) -> float | None:
        """A number, as it was written: 1 stays 1."""
        value = self._left.pop(name, None)
        if value is not None and type(value) is not int and type(value) is not float:
            raise wrong(self.at(name), "a number", value)
        return value

    def any(self, name: str) -> Any:
        """Whatever it is; None where it is absent."""
        return self._left.pop(name, None)

    def listed(self, name: str) -> list[Any]:
        """A list; absent and null are empty."""
        value = self._left.pop(name, None)
        if value is None:
            return []
        if type(value) is not list:
            raise wrong(self.at(name), "a list", value)
        return value

    def inner(self, name: str) -> "Fields | None":
        """An object; None where it is absent or null."""
        value = self._left.pop(name, None)
        return None if value is None else Fields(value, self.at(name))

    def each(self, name: str) -> "Iterator[Fields]":
        """The objects of a list."""
        for number, value in enumerate(self.listed(name)):
            yield Fields(value, f"{self.at(name)}[{number}]")

    def has(self, name: str) -> bool:
        """Whether the field is there and still to be taken, null included."""
        return name in self._left

    def has_any(self, names: Iterable[str]) -> bool:
        """Whether one of the fields is."""
        return not self._left.keys().isdisjoint(names)

    def left(self, leftovers: list[str]) -> dict[str, Any]:
        """What nobody took; its paths join `leftovers`. Nulls say nothing and are left out."""
        if not self._left:
            return {}
        rest = {name: value for name, value in self._left.items() if value is not None}
        leftovers.extend(self.at(name) for name in rest)
        return rest


def _kind(value: Any) -> str:
    for type_, words in _KINDS:
        if isinstance(value, type_):
            return words
    return "missing"


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "a string"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "an object"),
)
