"""YAML as plain values with the line and column of every key and value. Light; knows no section of the file.

Stricter than YAML: a key stands once, keys are strings, numbers and texts are what JSON can hold, aliases cannot
multiply beyond a bound.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import yaml

from .errors import ConfigurationError
from .records import Problem

Path: TypeAlias = tuple[str | int, ...]
LARGEST_TEXT = 1024 * 1024
_MOST_NODES = 20_000
_DEEPEST = 60
_MOST_MERGED = 20
_MERGE = "tag:yaml.org,2002:merge"
_LARGEST_INTEGER = 2**53 - 1
_LONGEST_NUMBER = 100  # characters
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class Position(NamedTuple):
    """Counting from 1."""

    line: int
    column: int


class Tree(NamedTuple):
    """The values, and where each stands: a key's own position for mappings' entries, the item's for lists."""

    file: str
    value: Any
    positions: dict[Path, Position]

    def problem(self, path: Path, message: str, next_step: str = "") -> Problem:
        """A problem at a path, or at the nearest part of it that the file has."""
        at = path
        while at and at not in self.positions:
            at = at[:-1]
        line, column = self.positions.get(at, Position(1, 1))
        return Problem(
            file=self.file, line=line, column=column, place=dotted(path), message=message, next_step=next_step
        )


def dotted(path: Path) -> str:
    """`functions.triage.variants[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def parse(text: str, file: str) -> Tree:
    """Read YAML. Raises ConfigurationError with the line and column of what is wrong."""
    if len(text) > LARGEST_TEXT:
        raise ConfigurationError(
            [Problem(file=file, message=f"the file has {len(text)} characters; the most is {LARGEST_TEXT}")]
        )
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        reader = _Reader(loader, file)
        value = reader.read(root, ()) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError([_syntax_problem(error, file)]) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise ConfigurationError([Problem(file=file, line=line, column=1, message=message)]) from None
    except RecursionError:
        raise ConfigurationError([Problem(file=file, message=f"it nests more than {_DEEPEST} deep")]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return Tree(file, value, reader.positions)


class _Loader(yaml.SafeLoader):
    """Stops composing where a file has too many values or nests too deeply: each one costs a hundred times its text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = 0
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next value, with everything in it."""
        self._nodes += 1
        self._depth += 1
        if self._nodes > _MOST_NODES or self._depth > _DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # PyYAML says nothing of its types
            raise yaml.composer.ComposerError(None, None, _bound(deep=self._depth > _DEEPEST), mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _bound(*, deep: bool) -> str:
    return f"the file nests more than {_DEEPEST} deep" if deep else f"the file has more than {_MOST_NODES} values"


class _Reader:
    """Turns nodes into values, collecting positions and problems."""

    def __init__(self, loader: yaml.SafeLoader, file: str) -> None:
        self._loader = loader
        self._file = file
        self._nodes = 0
        self.positions: dict[Path, Position] = {}
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        self.positions.setdefault(path, _position(node))
        if self._nodes > _MOST_NODES or len(path) > _DEEPEST:
            if self._nodes == _MOST_NODES + 1 or len(path) > _DEEPEST:
                bound = _bound(deep=len(path) > _DEEPEST)
                self._problem(node, path, f"{bound}, aliases counted as often as they are used")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, number)) for number, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        self._refuse_repeated_keys(node, path)
        if self._merges_too_much(node, path):
            return {}
        self._loader.flatten_mapping(node)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
                self._problem(key_node, path, f"the key {shown!s:.40} is no text", "put it in quotes")
                continue
            self.positions[*path, key] = _position(key_node)
            values[key] = self.read(value_node, (*path, key))
        return values

    def _refuse_repeated_keys(self, node: yaml.MappingNode, path: Path) -> None:
        seen: dict[str, yaml.Node] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                first = _position(seen[key_node.value]).line
                self._problem(
                    key_node, (*path, key_node.value), f"the key stands here and on line {first}", "remove one of them"
                )
            seen.setdefault(key_node.value, key_node)

    def _merges_too_much(self, node: yaml.MappingNode, path: Path) -> bool:
        """A merge copies what it names, and a merge of merges copies copies."""
        merged = [value for key, value in node.value if key.tag == _MERGE]
        if len(merged) <= 1 and all(len(value.value) <= _MOST_MERGED for value in merged if _is_list(value)):
            return False
        self._problem(node, path, f"one mapping merges more than {_MOST_MERGED} others", "write the keys themselves")
        return True

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.ScalarNode) and len(node.value) > _LONGEST_NUMBER and node.tag in _NUMBERS:
            self._problem(
                node, path, f"{node.value[:20]!r}... is a number with {len(node.value)} digits", "put it in quotes"
            )
            return None
        try:
            value = self._loader.construct_object(node, deep=True)
        except (ValueError, OverflowError) as error:
            self._problem(node, path, f"{node.value!r:.60} cannot be read: {error}", "put it in quotes if it is a text")
            return None
        if problem := _not_json(value):
            self._problem(node, path, problem)
            return None
        return value

    def _problem(self, node: yaml.Node, path: Path, message: str, next_step: str = "") -> None:
        line, column = _position(node)
        self.problems.append(
            Problem(file=self._file, line=line, column=column, place=dotted(path), message=message, next_step=next_step)
        )


def _is_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode)


def _not_json(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return f"{value!s:.40} is beyond ±{_LARGEST_INTEGER}, the integers that JSON holds exactly"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no number that JSON holds"
    if isinstance(value, str) and ("\0" in value or not _encodable(value)):
        return "the text has a character that cannot be stored"
    if not isinstance(value, str | int | float):
        return f"YAML reads this as a {type(value).__name__}; put it in quotes"
    return ""


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = "not YAML: " + ", ".join(part for part in (error.context, error.problem) if part)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(file=file, line=line, column=column, message=message, next_step=f"correct line {line} of {file}")
