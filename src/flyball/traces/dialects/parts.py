"""The parts of a message, by their type: words, thoughts, calls of tools and their results, images and files.

A message grows part by part and ends as one of ours, or as several where it brings the results of several tools. Knows
the shapes of parts; which messages there are is `messages.py`'s.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from .texts import parsed, written

Message: TypeAlias = dict[str, Any]


class Growing:
    """A message that grows part by part."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.parts: list[Any] = []
        self.reasoning: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.results: list[Message] = []
        self.name = ""
        self.answers = ""

    def take_all(self, content: Any) -> None:
        """The content of a message, in whatever shape."""
        if isinstance(content, str) and content[:2] in {"[{", "[ "}:
            content = parsed(content)  # parts that were written as one attribute
        if isinstance(content, list) and all(isinstance(part, (dict, str)) for part in content):
            for part in content:
                self.take(part)
        elif content is not None and content != "":
            self.parts.append(content if isinstance(content, str) else written(content))

    def take(self, part: dict[str, Any] | str) -> None:
        """One part."""
        if isinstance(part, str):
            self.parts.append(part)
            return
        kind = part.get("type")
        deed = _PARTS.get(kind) if isinstance(kind, str) else None
        if deed is None:
            deed = next((_UNTYPED[name] for name in part if name in _UNTYPED), _take_other)
        deed(self, part)

    def finish(self, value: dict[str, Any]) -> None:
        """What stands beside the content."""
        extra = value.get("additional_kwargs")
        calls = value.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None)
        known = {call["id"] for call in self.calls}
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and _text(call, "id", "toolCallId", "tool_call_id") not in known - {""}:
                _take_call(self, call)
        single = value.get("function_call")
        if isinstance(single, dict):
            _take_call(self, single)
        for name in ("reasoning_content", "reasoning", "thinking"):
            if isinstance(value.get(name), str) and value[name] and not self.reasoning:
                self.reasoning.append(value[name])
        self.answers = _text(value, "tool_call_id", "id" if self.role == "tool" else "tool_call_id")
        self.name = _text(value, "name")

    def messages(self) -> list[Message]:
        """What it became: itself, unless it is nothing but the results of tools."""
        own: Message = {"role": self.role}
        content: Any = self.parts
        if all(isinstance(part, str) for part in self.parts):
            content = self.parts[0] if len(self.parts) == 1 else [{"type": "text", "text": t} for t in self.parts]
        else:
            content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in self.parts]
        if self.parts:
            own["content"] = content
        if self.reasoning:
            own["reasoning"] = "\n".join(self.reasoning)
        if self.calls:
            own["tool_calls"] = self.calls
        if self.role == "tool":
            if self.answers:
                own["tool_call_id"] = self.answers
            if self.name:
                own["name"] = self.name
        if self.results and len(own) == 1:
            return self.results
        return [*self.results, own] if len(own) > 1 else [{"role": self.role, "content": ""}]


def _take_text(message: Growing, part: dict[str, Any]) -> None:
    text = part.get("content") if "content" in part else part.get("text")
    if isinstance(text, str):
        if part.get("thought") is True:
            message.reasoning.append(text)
        else:
            message.parts.append(text)
    elif text is not None:
        message.parts.append(written(text))


def _take_thought(message: Growing, part: dict[str, Any]) -> None:
    for name in ("content", "text", "thinking", "reasoning", "summary"):
        said = part.get(name)
        if isinstance(said, list):
            said = "\n".join(
                each["text"] for each in said if isinstance(each, dict) and isinstance(each.get("text"), str)
            )
        if isinstance(said, str) and said:
            message.reasoning.append(said)
            return


def _take_call(message: Growing, part: dict[str, Any]) -> None:
    inside = part.get("function")
    inside = inside if isinstance(inside, dict) else part
    given: Any = next((inside[name] for name in ("arguments", "args", "input") if inside.get(name) is not None), {})
    if isinstance(given, str):
        given = parsed(given)
    message.calls.append(
        {
            "id": _text(part, "call_id", "id", "toolCallId", "tool_call_id"),
            "type": "function",
            "function": {"name": _text(inside, "name", "toolName"), "arguments": written(given)},
        }
    )


def _take_result(message: Growing, part: dict[str, Any]) -> None:
    found = next((part[name] for name in ("result", "response", "content", "output") if part.get(name) is not None), "")
    if isinstance(found, dict) and found.keys() == {"type", "value"}:
        found = found["value"]  # the AI SDK says of what type a tool's result is
    if (
        isinstance(found, list)
        and found
        and all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in found)
    ):
        found = "\n".join(one["text"] for one in found)
    answer: Message = {"role": "tool", "content": written(parsed(found) if isinstance(found, str) else found)}
    if called := _text(part, "tool_call_id", "tool_use_id", "toolCallId", "call_id", "id"):
        answer["tool_call_id"] = called
    message.results.append(answer)


def _take_medium(message: Growing, part: dict[str, Any]) -> None:
    kind = part.get("type")
    kind = _MEDIA.get(kind, "file") if isinstance(kind, str) else "file"
    medium: dict[str, Any] = {"type": _text(part, "modality") or kind}
    inside = part
    for _ in range(2):  # OpenInference has the image of an image
        inside = next((inside[name] for name in _INSIDE if isinstance(inside.get(name), dict)), inside)
    for ours, names in _MEDIUM:
        for name in names:
            value = inside.get(name, part.get(name))
            if isinstance(value, (str, bytes)) and value:
                medium[ours] = value if isinstance(value, str) else written(value)
                break
    if isinstance(part.get("image_url"), str):
        medium["url"] = part["image_url"]
    form = medium.get("mime_type", "").partition("/")[0]
    if medium["type"] == "file" and form in _FORMS:
        medium["type"] = form
    message.parts.append(medium)


_MEDIA = {
    "image_url": "image",
    "image": "image",
    "input_image": "image",
    "input_audio": "audio",
    "audio": "audio",
    "video": "video",
}
_FORMS = frozenset({"image", "audio", "video"})
_INSIDE = (
    "source",
    "image_url",
    "input_audio",
    "inlineData",
    "inline_data",
    "fileData",
    "file_data",
    "file",
    "image",
    "audio",
)
_MEDIUM = (
    ("mime_type", ("mime_type", "media_type", "mimeType", "mediaType", "format")),
    ("url", ("url", "uri", "fileUri", "file_uri", "image.url", "audio.url")),
    ("file_id", ("file_id",)),
    ("data", ("data", "content", "file_data", "image")),
)


def _take_other(message: Growing, part: dict[str, Any]) -> None:
    message.parts.append(part)


def _take_gemini_call(message: Growing, part: dict[str, Any]) -> None:
    call = part.get("functionCall") or part.get("function_call")
    if isinstance(call, dict):
        _take_call(message, call)


def _take_gemini_result(message: Growing, part: dict[str, Any]) -> None:
    result = part.get("functionResponse") or part.get("function_response")
    if isinstance(result, dict):
        _take_result(message, result)


_Deed: TypeAlias = Callable[[Growing, dict[str, Any]], None]

_PARTS: dict[str, _Deed] = {
    **dict.fromkeys(("text", "input_text", "output_text", "refusal"), _take_text),
    **dict.fromkeys(("reasoning", "thinking", "redacted_thinking"), _take_thought),
    **dict.fromkeys(("tool_call", "tool-call", "tool_use", "function_call", "server_tool_use"), _take_call),
    **dict.fromkeys(("tool_call_response", "tool-result", "tool_result", "function_call_output"), _take_result),
    **dict.fromkeys((*_MEDIA, "blob", "uri", "file", "document", "input_file"), _take_medium),
}
_UNTYPED: dict[str, _Deed] = {
    "text": _take_text,
    "functionCall": _take_gemini_call,
    "function_call": _take_gemini_call,
    "functionResponse": _take_gemini_result,
    "function_response": _take_gemini_result,
    "inlineData": _take_medium,
    "inline_data": _take_medium,
    "fileData": _take_medium,
    "file_data": _take_medium,
}


def _text(value: dict[str, Any], *names: str) -> str:
    return next((value[name] for name in names if isinstance(value.get(name), str)), "")
