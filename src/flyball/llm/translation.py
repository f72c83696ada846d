"""From one dialect to another: what is left behind, and how its caller calls it. Knows the shelf of dialects by name."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Literal, cast

from .dialect import Dialect
from .errors import InvalidBodyError
from .losses import Losses
from .messages import NativeTool, Request, Text, Tool, ToolResult
from .tools import has_type, is_name

# One line per dialect: its name, and the package whose DIALECT it is. Loaded when first asked for.
DIALECTS: Mapping[str, str] = {
    "openai_chat": "flyball.llm.dialects.openai_chat",
    "openai_responses": "flyball.llm.dialects.openai_responses",
    "anthropic_messages": "flyball.llm.dialects.anthropic_messages",
    "gemini": "flyball.llm.dialects.gemini",
    "bedrock_converse": "flyball.llm.dialects.bedrock_converse",
}


@cache
def dialect(name: str) -> Dialect:
    """A dialect by its name. Raises KeyError for one that is not on the shelf. Bedrock's is only `Called`: no caller asks for it."""
    return cast("Dialect", import_module(DIALECTS[name]).DIALECT)


def name_of(request: Request, field: str) -> str:
    """What the caller's dialect calls a field of the vocabulary, or of one of its parts.

    How much to think may be asked for in words or in tokens, and the two may be called differently.
    """
    names = dialect(request.dialect).names
    outer, _, inner = field.partition(".")
    if inner and field not in names and outer in names:
        return f"{names[outer]}.{inner}"
    if field == "reasoning" and (asked := request.reasoning) is not None:
        kind = "reasoning.effort" if asked.effort and asked.budget is None else "reasoning.budget"
        return names.get(kind) or names.get(field, field)
    return names.get(field, field)


def name_of_theirs(request: Request, field: str, *, by: str) -> str:
    """What the caller calls that which the dialect `by` calls `field`."""
    if request.dialect == by:
        return field
    ours = {theirs: name for name, theirs in dialect(by).names.items() if "." not in name}
    return name_of(request, ours.get(field, field))


def conversation_of(request: Request) -> str:
    """What the caller's dialect calls the conversation."""
    return dialect(request.dialect).input_field


def refuse_beginning(request: Request, losses: Losses, silent: str = "") -> None:
    """For a conversation that no turn of the user's begins, in a dialect that wants one. Always raises.

    `silent` is what the caller calls the turn that should have been the first and says nothing.
    """
    name = silent or conversation_of(request)
    if not request.messages:
        raise InvalidBodyError(f"{name} says nothing", param=name, next_step="send a turn of the user's")
    losses.refuse(name, "the first turn has to be the user's")


def content_of(request: Request, number: int) -> str:
    """How the caller calls what one of its messages says."""
    path = request.path_of(number)
    return path if path == conversation_of(request) else f"{path}.{name_of(request, 'content')}"


def thought_name(request: Request, number: int, at: int, field: str = "thought") -> str:
    """How the caller calls a thought, or with "signature" the signature of another part, that stands in one of its messages.

    A word that is empty says that a thought stands there by itself.
    """
    word = dialect(request.dialect).names.get(field)
    if word is None:
        return f"{request.path_of(number)}.thinking"
    place = request.place_of(number, at)
    return f"{place}.{word}" if word else place


def inner_place(request: Request, place: str, result: ToolResult, at: int) -> str:
    """How the caller calls a part of a tool's result, which itself stands at `place`. Some say words and media apart."""
    names = dialect(request.dialect).names
    words, media = (names.get(f"result.{kind}") for kind in ("words", "media"))
    if words is None or media is None:
        return f"{place}.{names.get('result', 'content')}[{at}]"
    if isinstance(result.parts[at], Text):
        return f"{place}.{words}"
    return f"{place}.{media}[{at - sum(isinstance(one, Text) for one in result.parts[:at])}]"


def miss_half(request: Request, losses: Losses, *, by: Literal["words", "tokens"]) -> None:
    """Name one of the two where the caller says how much to think in both, and the provider is asked by the other."""
    asked = request.reasoning
    if asked is not None and asked.effort not in ("", "none") and asked.budget is not None:
        losses.drop(name_of(request, "reasoning" if by == "words" and asked.budget else "reasoning.effort"))


def leave_behind(request: Request, losses: Losses, *, to: str) -> None:
    """Tell what only the caller's own dialect can say, for a writer of another one. Does nothing for the same.

    Raises CannotCarryError for a field without which the question would be another.
    """
    if request.dialect == to:
        return
    _judge_tools(request, losses, to)
    leaving = dialect(request.dialect).leaving
    for field in request.native:
        if (leaving.get(field) or leaving.get(field.partition(".")[0], "refuse")) == "refuse":
            losses.refuse(field)
        losses.drop(field)
    losses.drop_all(request.leftovers)


def _judge_tools(request: Request, losses: Losses, to: str) -> None:
    for number, tool in enumerate(request.tools):
        if isinstance(tool, NativeTool):
            continue
        if not is_name(tool.name, to):
            losses.refuse(_tool_field(request, number, tool, "name"), f"it takes no tool that is called {tool.name!r}")
        if tool.parameters is not None and not has_type(tool.parameters):
            path = _tool_field(request, number, tool, "parameters") + ".type"
            raise InvalidBodyError(f"{path} is no type of JSON Schema", param=path, next_step='send "object"')


def _tool_field(request: Request, number: int, tool: Tool, field: str) -> str:
    """How the caller calls a field of a tool. In chat it stands in an object of the tool's kind, but for the functions of old."""
    names, path = dialect(request.dialect).names, request.tool_path_of(number)
    inner = names.get("tool.inner", "") if path.startswith("tools") else ""
    inner = "custom." if inner and tool.custom else inner
    return f"{path}.{inner}{names.get(f'tool.{field}', field)}"
