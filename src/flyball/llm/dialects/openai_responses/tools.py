"""Tools of a Responses request, in the vocabulary. Schemas stay the bytes that they are; of what is strict OpenAI's rules are known."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from flyball.llm import messages as m
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, field, usual, wrong

from .asking import NAME


class _Schema(msgspec.Struct):
    parameters: msgspec.Raw = msgspec.Raw()


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    """A function with the usual fields, its schema still bytes."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw()
    strict: bool | None = None


_FUNCTIONS = msgspec.json.Decoder(list[_Function])


def tools_of(fields: Mapping[str, msgspec.Raw], left: list[str]) -> Iterator[m.Tool | m.NativeTool]:
    """The tools. What nobody takes joins `left`. Raises InvalidBodyError."""
    values: Sequence[dict[str, Any]] = field(fields, "tools", list[dict[str, Any]] | None) or ()
    functions: Sequence[_Function] = usual(fields.get("tools"), _FUNCTIONS)
    schemas: Sequence[_Schema] = () if functions else field(fields, "tools", list[_Schema] | None) or ()
    names: set[str] = set()
    tool: m.Tool | m.NativeTool
    for at, value in enumerate(values):
        path = f"tools[{at}]"
        if functions:
            said, parameters = functions[at], schema_of(functions[at].parameters)
            strict = _strict(said.strict, value.get("parameters"), path)
            tool = m.Tool(name=said.name, description=said.description or "", parameters=parameters, strict=strict)
        else:
            tool = _tool(value, path, schemas[at].parameters, left)
        if isinstance(tool, m.Tool):
            if tool.name in names:
                raise InvalidBodyError(f"two tools are called {tool.name!r}", param=path, next_step="rename one")
            names.add(tool.name)
        yield tool


def _tool(value: dict[str, Any], path: str, raw: msgspec.Raw, left: list[str]) -> m.Tool | m.NativeTool:
    said = Fields(dict(value), path)
    if (kind := said.needed_text("type")) not in ("function", "custom"):
        return m.NativeTool(dialect=NAME, kind=kind, raw=value)
    parameters, strict, grammar = said.any("parameters"), said.flag("strict"), said.any("format")
    return m.Tool(
        strict=_strict(strict, parameters, path),
        name=said.needed_text("name"),
        description=said.text("description"),
        parameters=schema_of(raw),
        custom=kind == "custom",
        grammar=_nested(grammar) if kind == "custom" else None,
        extra=said.left(left),
    )


def _strict(said: bool | None, parameters: Any, path: str) -> bool | None:  # noqa: FBT001 -- as the caller says it
    if parameters is None:
        return said
    if type(parameters) is not dict:
        raise wrong(f"{path}.parameters", "an object", parameters)
    return True if said is None and _can_be_strict(parameters) else said


def _can_be_strict(schema: dict[str, Any]) -> bool:
    """Whether a schema is one that OpenAI holds a model to. Where nothing is said, it is strict here with those alone."""
    try:
        return ("properties" in schema or schema.get("type") == "object") and _is_strict(schema)
    except RecursionError:
        return False


def _is_strict(schema: Any) -> bool:
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if "properties" in schema or schema.get("type") == "object":
        names, required = schema.get("properties", {}), schema.get("required", [])
        whole = isinstance(names, dict) and isinstance(required, list) and all(name in required for name in names)
        if not whole or schema.get("additionalProperties") is not False:
            return False
    places = (schema.get("anyOf"), schema.get("items"), *_named(schema, "properties"), *_named(schema, "$defs"))
    return all(map(_is_strict, places))


def _named(schema: dict[str, Any], name: str) -> Sequence[Any]:
    inner = schema.get(name)
    return tuple(inner.values()) if isinstance(inner, dict) else ()


def _nested(grammar: Any) -> Any:
    """A custom tool's grammar as chat words it, where its fields stand one deeper."""
    if not isinstance(grammar, dict) or grammar.get("type") != "grammar":
        return grammar
    return {"type": "grammar", "grammar": {name: value for name, value in grammar.items() if name != "type"}}


def schema_of(raw: msgspec.Raw) -> msgspec.Raw | None:
    """A schema, byte for byte; None where there is none."""
    return None if bytes(raw) in (b"", b"null") else raw
