"""What was said to a model and by it, from every shape that libraries write, as one: a list of chat messages.

    {"role": "user", "content": "hi"}                      text, or a list of parts where it is more than one text
    {"role": "assistant", "content": …, "reasoning": …, "tool_calls": [{"id", "type": "function", "function": {"name", "arguments"}}]}
    {"role": "tool", "tool_call_id": …, "content": …}

Understood are the parts of OpenTelemetry, OpenAI's chats and Responses, Anthropic's blocks, Gemini's contents, LangChain's
serialised messages and the AI SDK's. Knows no attribute: `contents.py` finds the texts that are read here.
"""

from collections.abc import Iterable
from typing import Any

from .parts import Growing, Message
from .texts import parsed, written

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant", "function": "tool"}
_CLASSES = {
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}
_DEEPEST = 6  # wrappers around messages that are looked into


def read_messages(value: Any, role: str = "user") -> list[Message] | None:
    """The messages of a conversation or an answer; None where it is none that we understand. Never raises.

    `role` is that of a message that does not tell its own.
    """
    return _read(value, role, _DEEPEST)


def text_of(messages: list[Message]) -> str:
    """One answer as people read it: its words alone where it is nothing but words, else everything, as JSON."""
    if len(messages) == 1:
        content = messages[0].get("content")
        if isinstance(content, str) and messages[0].keys() <= {"role", "content"}:
            return content
    return written(messages)


def joined(groups: Iterable[list[Message] | None]) -> list[Message]:
    """Several groups of messages as one; those that are none left out."""
    return [message for group in groups if group for message in group]


def _read(value: Any, role: str, depth: int) -> list[Message] | None:
    if isinstance(value, str):
        value = parsed(value)
    if depth <= 0:
        return None
    if isinstance(value, dict):
        return _unwrapped(value, role, depth)
    if isinstance(value, list) and value:
        return _listed(value, role, depth)
    return None


def _listed(values: list[Any], role: str, depth: int) -> list[Message] | None:
    if isinstance(values[0], list):
        # LangChain has a list for each conversation of a batch, and of each answer's candidates.
        return _read(values[0], role, depth - 1) if len(values) == 1 else None
    said: list[Message] = []
    for each in values:
        if not isinstance(each, dict):
            return None
        simple = _simple(each)
        if simple is not None:
            said.append(simple)
            continue
        read = _unwrapped(each, role, depth - 1)
        if read is None:
            return None
        said += read
    return said


# Around the messages of a request or an answer: the name under which they stand, and whose they are.
_WRAPPERS = (
    ("messages", ""),
    ("choices", "assistant"),
    ("generations", "assistant"),
    ("candidates", "assistant"),
    ("message", ""),
    ("contents", ""),
    ("items", ""),
    ("prompt", "user"),
    ("output", "assistant"),
    ("input", "user"),
)
_SYSTEM = ("system", "instructions", "system_instruction", "systemInstruction", "system_prompt")


def _unwrapped(value: dict[str, Any], role: str, depth: int) -> list[Message] | None:
    if _is_message(value):
        return _messages_of(value, role)
    for name, whose in _WRAPPERS:
        inside = value.get(name)
        if isinstance(inside, (dict, list)):
            said = _read(inside, whose or role, depth - 1)
            return said and [*_system(value), *said]
    if isinstance(value.get("prompt"), str) and value.keys() <= {"system", "prompt", "messages"}:
        return [*_system(value), {"role": "user", "content": value["prompt"]}]
    # Gemini's candidates and LangChain's generations: the message stands one level deeper.
    inside = value.get("content")
    return _read(inside, role, depth - 1) if isinstance(inside, dict) else None


def _system(value: dict[str, Any]) -> list[Message]:
    for name in _SYSTEM:
        given = value.get(name)
        if given:
            said = given if isinstance(given, (str, list)) else given.get("parts") if isinstance(given, dict) else None
            return _messages_of({"role": "system", "content": said}, "system") if said else []
    return []


def _is_message(value: dict[str, Any]) -> bool:
    if "lc" in value and isinstance(value.get("kwargs"), dict):
        return True
    said = "tool_calls" in value or any(name in value for name in _CONTENTS)
    if "role" in value:
        return said or len(value) == 1 or any(name in value for name in _BESIDE)
    kind = _type(value)
    return kind in _ITEMS or (kind in _LANGCHAIN and (said or "data" in value))


_BESIDE = ("function_call", "audio", "reasoning", "reasoning_content", "refusal")
_CONTENTS = ("parts", "contents", "content")
_LANGCHAIN = {"human", "ai", "system", "tool", "function", "AIMessageChunk"}
_ITEMS = {"function_call", "function_call_output", "reasoning", "message"}  # of OpenAI's Responses


def _type(value: dict[str, Any]) -> str:
    kind = value.get("type")
    return kind if isinstance(kind, str) else ""


def _messages_of(value: dict[str, Any], role: str) -> list[Message]:
    """A message as ours; one that brings the results of several tools becomes several."""
    simple = _simple(value)
    return [simple] if simple is not None else _any_messages(value, role)


def _simple(value: dict[str, Any]) -> Message | None:
    """A message that is a role and one text, as most are; the long way gives the same."""
    role = value.get("role")
    if not isinstance(role, str) or role not in _SIMPLE:
        return None
    content = value.get("content")
    if content is None and not value.keys() - _OUTSIDE:
        parts = value.get("parts")
        if (
            isinstance(parts, list)
            and len(parts) == 1
            and isinstance(parts[0], dict)
            and parts[0].get("type") == "text"
        ):
            content = parts[0].get("content")
    elif len(value) != _PAIR:
        return None
    if isinstance(content, str) and content and content[0] != "[":
        return {"role": role, "content": content}
    return None


_SIMPLE = frozenset({"user", "assistant", "system"})
_OUTSIDE = frozenset({"role", "parts", "finish_reason"})
_PAIR = 2  # a role and a content


def _any_messages(value: dict[str, Any], role: str) -> list[Message]:
    if isinstance(value.get("kwargs"), dict) and "lc" in value:
        name = value["id"][-1] if isinstance(value.get("id"), list) and value["id"] else ""
        role = _CLASSES.get(name, role)
        value = value["kwargs"]
    if isinstance(value.get("data"), dict) and "role" not in value:
        value = {"role": value.get("type", role), **value["data"]}
    kind = _type(value)
    said = value.get("role") or (kind if kind in _LANGCHAIN else "")
    own = _ROLES.get(said, said) if isinstance(said, str) and said else role
    if "role" not in value and kind in _ITEMS and kind != "message":
        whole = Growing("assistant" if kind != "function_call_output" else "tool")
        whole.take(value)
    else:
        whole = Growing(own)
        whole.take_all(next((value[name] for name in _CONTENTS if name in value), None))
        whole.finish(value)
    return whole.messages()
