"""Holding plain values against a record's type, collecting every problem with its path. Light; knows no section.

msgspec would stop at the first problem and name dict keys `[...]`; this tells all of them, with a guess at what was meant.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from .tree import Path

_WORDS = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "nothing",
}


class Finding(NamedTuple):
    """Something that does not fit, at a path."""

    path: Path
    message: str


def check(value: Any, type_: Any) -> list[Finding]:
    """Everything that keeps the value from being of the type."""
    return list(_check(value, inspect.type_info(type_), ()))


def _check(value: Any, expected: inspect.Type, path: Path) -> Iterator[Finding]:
    for kind, handler in _HANDLERS:
        if isinstance(expected, kind):
            yield from handler(value, expected, path)
            return


def _check_struct(value: Any, expected: inspect.StructType, path: Path) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _expected(path, "a mapping", value)
        return
    fields = {field.encode_name: field for field in expected.fields}
    tag = {expected.tag_field} if expected.tag_field else set[str]()
    for key in value:
        if key not in fields and key not in tag:
            yield Finding((*path, key), "is not known here" + _meant(key, [*fields, *tag]))
    for name, field in fields.items():
        if name in value:
            yield from _check(value[name], field.type, (*path, name))
        elif field.required:
            yield Finding(path, f"needs {name!r}")


def _check_dict(value: Any, expected: inspect.DictType, path: Path) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _expected(path, "a mapping", value)
        return
    if expected.min_length and len(value) < expected.min_length:
        yield Finding(path, "is empty")
    for key, item in value.items():
        if isinstance(expected.key_type, inspect.StrType) and not _fits_pattern(key, expected.key_type):
            yield Finding((*path, key), f"{key!r:.100} is no name here; names match {expected.key_type.pattern}")
        yield from _check(item, expected.value_type, (*path, key))


def _check_list(value: Any, expected: inspect.ListType | inspect.VarTupleType, path: Path) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield _expected(path, "a list", value)
        return
    if expected.min_length and len(value) < expected.min_length:
        yield Finding(path, "is empty")
    for number, item in enumerate(value):
        yield from _check(item, expected.item_type, (*path, number))


def _check_union(value: Any, expected: inspect.UnionType, path: Path) -> Iterator[Finding]:
    tagged = {
        option.tag: option for option in expected.types if isinstance(option, inspect.StructType) and option.tag_field
    }
    if tagged and (isinstance(value, dict) or len(tagged) == len(expected.types)):
        yield from _check_tagged(value, tagged, path)
        return
    tries = [list(_check(value, option, path)) for option in expected.types]
    if all(tries):
        # The option that got furthest inside is the one that was meant.
        yield from max(tries, key=lambda found: (max(len(finding.path) for finding in found), -len(found)))


def _check_tagged(value: Any, tagged: Mapping[Any, inspect.StructType], path: Path) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _expected(path, "a mapping", value)
        return
    field = next(iter(tagged.values())).tag_field or ""
    if field not in value:
        yield Finding(path, f"needs {field!r}, one of {_listed(tagged)}")
    elif not isinstance(value[field], str) or value[field] not in tagged:
        yield Finding(
            (*path, field), f"{value[field]!r:.60} is not one of {_listed(tagged)}" + _meant(value[field], list(tagged))
        )
    else:
        yield from _check_struct(value, tagged[value[field]], path)


def _check_text(value: Any, expected: inspect.StrType, path: Path) -> Iterator[Finding]:
    if not isinstance(value, str):
        yield _expected(path, "a text", value)
    elif not _fits_pattern(value, expected):
        yield Finding(path, f"{value!r:.100} does not match {expected.pattern}")


def _check_number(value: Any, expected: inspect.IntType | inspect.FloatType, path: Path) -> Iterator[Finding]:
    wanted: tuple[type, ...] = (int,) if isinstance(expected, inspect.IntType) else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        yield _expected(path, "a whole number" if len(wanted) == 1 else "a number", value)
        return
    bounds: Sequence[tuple[Any, str, Callable[[Any, Any], bool]]] = (
        (expected.ge, "at least", lambda number, bound: number >= bound),
        (expected.gt, "more than", lambda number, bound: number > bound),
        (expected.le, "at most", lambda number, bound: number <= bound),
        (expected.lt, "less than", lambda number, bound: number < bound),
    )
    for bound, words, fits in bounds:
        if bound is not None and not fits(value, bound):
            yield Finding(path, f"{value} is not {words} {bound:g}")


def _check_literal(value: Any, expected: inspect.LiteralType, path: Path) -> Iterator[Finding]:
    if value not in expected.values:
        yield Finding(
            path, f"{value!r:.60} is not one of {_listed(expected.values)}" + _meant(value, list(expected.values))
        )


def _check_bool(value: Any, expected: inspect.BoolType, path: Path) -> Iterator[Finding]:
    del expected
    if not isinstance(value, bool):
        yield _expected(path, "true or false", value)


def _check_none(value: Any, expected: inspect.NoneType, path: Path) -> Iterator[Finding]:
    del expected
    if value is not None:
        yield _expected(path, "nothing", value)


def _check_meta(value: Any, expected: inspect.Metadata, path: Path) -> Iterator[Finding]:
    yield from _check(value, expected.type, path)


# The one table of what is understood; `Any` has no row, for it takes everything.
_HANDLERS: tuple[tuple[Any, Callable[[Any, Any, Path], Iterator[Finding]]], ...] = (
    (inspect.StructType, _check_struct),
    (inspect.DictType, _check_dict),
    ((inspect.ListType, inspect.VarTupleType), _check_list),
    (inspect.UnionType, _check_union),
    (inspect.StrType, _check_text),
    ((inspect.IntType, inspect.FloatType), _check_number),
    (inspect.LiteralType, _check_literal),
    (inspect.BoolType, _check_bool),
    (inspect.NoneType, _check_none),
    (inspect.Metadata, _check_meta),
)


def _fits_pattern(value: str, expected: inspect.StrType) -> bool:
    """A pattern's `$` would also match in front of a line feed at the end, which is part of no name."""
    return expected.pattern is None or (re.search(expected.pattern, value) is not None and not value.endswith("\n"))


def _expected(path: Path, words: str, value: Any) -> Finding:
    shown = (
        f"{value!r:.60}"
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else _WORDS[type(value)]
    )
    return Finding(path, f"expected {words}, got {str(value).lower() if isinstance(value, bool) else shown}")


def _meant(key: Any, known: Sequence[Any]) -> str:
    near = difflib.get_close_matches(str(key), [str(name) for name in known], n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f" (known: {', '.join(sorted(str(name) for name in known))})" if known else ""


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values)


def convert(value: Any, type_: Any) -> Any:
    """The record, of a value in which `check` found nothing."""
    return msgspec.convert(value, type_)
