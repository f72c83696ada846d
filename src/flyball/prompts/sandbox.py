"""What a template may say: the part of Jinja2 that can neither reach out of it nor grow without bound.

Everything is refused that is not on a list here: statements, filters, methods. Arithmetic is for numbers. Nothing is
computed while a template is compiled, so that reading one costs what its text costs.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, filters, nodes, pass_context, pass_environment
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

LARGEST_RENDERING = 4 * 1024 * 1024
MOST_TAGS = 2_000
_LONGEST_TEXT = 100_000  # that an expression makes; what is written out is bounded by the rendering
_LARGEST_NUMBER = 10**18
_LARGEST_POWER = 64

_STATEMENTS = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign, nodes.With,
    nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv,
    nodes.Mod, nodes.Pow, nodes.Concat, nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword, nodes.List, nodes.Tuple,
)  # fmt: skip
_METHODS = frozenset(
    [
        "capitalize", "cycle", "endswith", "get", "items", "keys", "lower", "lstrip", "rstrip", "split", "splitlines",
        "startswith", "strip", "title", "upper", "values",
    ]
)  # fmt: skip
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "filesizeformat", "first", "float", "groupby", "int",
    "items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select",
    "selectattr", "sort", "string", "striptags", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip


class Finding(NamedTuple):
    """Something that a template may not say."""

    line: int
    message: str
    next_step: str = ""


def refused(tree: nodes.Template) -> Iterator[Finding]:
    """Everything in a parsed template that is not on the lists."""
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        if (finding := _judge(node)) is not None:
            yield finding
        pending.extend(node.iter_child_nodes())


def _judge(node: nodes.Node) -> Finding | None:
    kind, line = type(node).__name__.lower(), node.lineno or 1
    if type(node) not in _STATEMENTS or (isinstance(node, nodes.For) and node.recursive):
        return Finding(line, f"{kind} is not available in prompts", "write the text here")
    if isinstance(node, nodes.List | nodes.Tuple) and not all(_is_plain(item) for item in node.items):
        return Finding(line, "a list in a prompt holds texts and numbers, nothing else", "give it as a variable")
    if isinstance(node, nodes.Call) and not _may_be_called(node.node):
        return Finding(
            line,
            f"calling {_called(node.node)} is not available in prompts",
            f"available are {_listed(_METHODS)}",
        )
    if isinstance(node, nodes.Call | nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
        return Finding(line, "* and ** are not available in prompts", "write the arguments one by one")
    return None


def _is_plain(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) or (isinstance(node, nodes.Name) and node.ctx == "store")


def _may_be_called(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Getattr):
        return node.attr in _METHODS
    return isinstance(node, nodes.Name) and node.name == "range"


def _called(node: nodes.Node) -> str:
    return repr(getattr(node, "attr", None) or getattr(node, "name", "this"))


def _listed(names: frozenset[str]) -> str:
    return ", ".join(["range", *sorted(names)])


class _Generator(CodeGenerator):
    """Has texts joined by the environment, which knows how long they may become."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 -- Jinja2's name
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, with every operation bounded."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            finalize=_as_it_is,
        )
        self.globals = {"range": self.globals["range"]}
        self.filters = {name: self.filters[name] for name in _FILTERS} | _BOUNDED

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Plain values, and the listed methods."""
        return super().is_safe_attribute(obj, attr, value) and (attr in _METHODS or not callable(value))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic, for numbers that stay of a size that people write."""
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"{operator} is for numbers in prompts; texts are joined with ~")
        if operator == "**" and (abs(right) > _LARGEST_POWER or abs(left) > _LARGEST_NUMBER):
            raise SecurityError(f"powers above {_LARGEST_POWER} are not available in prompts")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and abs(result) > _LARGEST_NUMBER:
            raise SecurityError(f"a number beyond {_LARGEST_NUMBER:g} is not available in prompts")
        return result

    def joined(self, parts: tuple[Any, ...]) -> str:
        """Texts one after the other."""
        return _bounded("".join(_bounded(str(part)) for part in parts))


@pass_context
def _as_it_is(_context: Context, value: Any) -> Any:
    """Needs a rendering's context, so that nothing is written out, and nothing computed, while a template is compiled."""
    return value


def _bounded(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise SecurityError(f"a text longer than {_LONGEST_TEXT} characters cannot be joined in a prompt")
    return text


@pass_environment
def _join(environment: Environment, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    texts = [str(item) for item in _parts(environment, value, attribute)]
    if sum(map(len, texts)) + len(d) * len(texts) > LARGEST_RENDERING:
        raise SecurityError(f"joining makes more than {LARGEST_RENDERING} characters")
    return d.join(texts)


def _parts(environment: Environment, value: Any, attribute: str | int | None) -> Iterable[Any]:
    return value if attribute is None else map(filters.make_attrgetter(environment, attribute), value)


def _replace(s: Any, old: str, new: str, count: int | None = None) -> str:
    text = str(s)
    times = text.count(old) if count is None or count < 0 else min(count, text.count(old))
    if len(text) + times * len(new) > LARGEST_RENDERING:
        raise SecurityError(f"replacing makes more than {LARGEST_RENDERING} characters")
    return text.replace(old, new, -1 if count is None else count)


def _indent(s: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:  # noqa: FBT001, FBT002 -- as Jinja2 has it
    margin = width if isinstance(width, str) else " " * min(max(width, 0), 1_000)
    text = str(s)
    if len(text) + (text.count("\n") + 1) * len(margin) > LARGEST_RENDERING:
        raise SecurityError(f"indenting makes more than {LARGEST_RENDERING} characters")
    return filters.do_indent(text, margin, first, blank)


def _round(value: float, precision: int = 0) -> float:
    return round(float(value), max(-15, min(precision, 15)))


@pass_environment
def _sum(environment: Environment, value: Any, attribute: str | int | None = None) -> float:
    numbers = list(_parts(environment, value, attribute))
    if not all(isinstance(number, int | float) for number in numbers):
        raise SecurityError("sum is for numbers in prompts")
    return float(sum(numbers)) if any(isinstance(number, float) for number in numbers) else sum(map(int, numbers))


def _tojson(value: Any, indent: int | None = None) -> str:
    """Plain JSON: a prompt is no HTML."""
    return json.dumps(value, ensure_ascii=False, indent=None if indent is None else max(0, min(indent, 8)))


_BOUNDED: dict[str, Callable[..., Any]] = {
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "sum": _sum,
    "tojson": _tojson,
}
