"""What Anthropic's Messages refuse.

Turns of one role that follow each other are not refused: Anthropic joins them. A conversation begins with the user, and the
results of tools stand first in the one turn behind their calls.
"""

import re
from collections.abc import Iterator
from typing import Any

from flyball.testing.dialect import Ask, Failure, Issued

from . import claude
from .looking import Body, given, held, listed, number

_COUNTED = {
    "cache_control",
    "messages",
    "model",
    "output_config",
    "speed",
    "system",
    "thinking",
    "tool_choice",
    "tools",
}
_ASKED = _COUNTED | {
    "container", "diagnostics", "inference_geo", "max_tokens", "metadata", "service_tier", "stop_sequences", "stream",
    "temperature", "top_k", "top_p", "user_profile_id", "workspace_id",
}  # fmt: skip
_BETA = {"compaction", "context_management", "fallbacks", "mcp_servers", "thread"}
_BLOCKS = {
    "text": {"type", "text", "cache_control", "citations"},
    "image": {"type", "source", "cache_control", "transformations"},
    "document": {"type", "source", "cache_control", "citations", "context", "title"},
    "search_result": {"type", "source", "cache_control", "citations", "content", "title"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": {"type", "id", "name", "input", "cache_control", "caller", "toolset_name"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"},
}
_ELSEWHERE = ("server_tool_use", "_tool_result", "container_upload", "mcp_", "compaction")  # not looked into
_EXTRA = "Extra inputs are not permitted"
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def refusal(body: Body, ask: Ask, headers: dict[str, str], issued: Issued) -> Failure | None:
    """The first thing that is wrong with a request."""
    known = _ASKED if ask.verb == "generate" else _COUNTED
    message = next(_complaints(body, known | (_BETA if "anthropic-beta" in headers else set()), ask, issued), None)
    return Failure(400, message) if message else None


def _complaints(body: Body, known: set[str], ask: Ask, issued: Issued) -> Iterator[str]:
    yield from (f"{name}: {_EXTRA}" for name in body if name not in known)
    needed = ("max_tokens", "messages", "model") if ask.verb == "generate" else ("messages", "model")
    yield from (f"{name}: Field required" for name in needed if body.get(name) is None)
    yield from _limits(body)
    yield from _tools(body)
    yield from _turns(listed(body, "messages"))
    for at, message in enumerate(listed(body, "messages")):
        for index, block in enumerate(listed(message, "content")):
            yield from _block(f"messages.{at}.content.{index}", block, issued)
    yield from _calls(listed(body, "messages"))
    yield from _thinking(body)


def _limits(body: Body) -> Iterator[str]:
    most, temperature = number(body, "max_tokens"), number(body, "temperature")
    if most is not None and most < 1:
        yield "max_tokens: must be greater than or equal to 1"
    if temperature is not None and not 0 <= temperature <= 1:
        yield "temperature: range: 0..1"
    system = body.get("system")
    texts = [block.get("text") for block in listed(body, "system")] if isinstance(system, list) else []
    if any(not text for text in texts):
        yield "system: text content blocks must be non-empty"
    marks = list(_cache_marks([system, body.get("tools"), body.get("messages")]))
    if len(marks) > 4:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}."


def _cache_marks(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _cache_marks(item)
    elif isinstance(value, dict):
        if value.get("cache_control"):
            yield value["cache_control"]
        if value.get("type") != "tool_use":
            yield from _cache_marks(value.get("content"))


def _tools(body: Body) -> Iterator[str]:
    tools, choice = listed(body, "tools"), held(body, "tool_choice")
    for at, tool in enumerate(tools):
        if not _NAME.fullmatch(str(tool.get("name", ""))):
            yield f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if tool.get("type", "custom") == "custom" and held(tool, "input_schema").get("type") != "object":
            yield f"tools.{at}.custom.input_schema.type: Input should be 'object'"
    if choice.get("type") in ("any", "tool") and not tools:
        yield "tool_choice may only be specified while providing tools."
    if choice.get("type") == "tool" and choice.get("name") not in [tool.get("name") for tool in tools]:
        yield f"Tool '{choice.get('name')}' not found in provided tools"


def _turns(messages: list[Body]) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
        return
    if messages[0].get("role") != "user":
        yield 'messages: first message must use the "user" role'
    for at, message in enumerate(messages):
        content, last = message.get("content"), at == len(messages) - 1
        yield from (f"messages.{at}.{name}: {_EXTRA}" for name in message if name not in ("role", "content"))
        if message.get("role") not in ("user", "assistant", "system"):
            yield f"messages.{at}.role: Input should be 'user' or 'assistant'"
        if not content and not (last and message.get("role") == "assistant"):
            yield f"messages.{at}: all messages must have non-empty content except for the optional final assistant message"
        texts = [content] if isinstance(content, str) else [b.get("text") for b in listed(message, "content")]
        if last and message.get("role") == "assistant" and texts and str(texts[-1] or "x")[-1].isspace():
            yield "messages: final assistant content cannot end with trailing whitespace"


def _block(where: str, block: Body, issued: Issued) -> Iterator[str]:
    kind = str(block.get("type"))
    if any(word in kind for word in _ELSEWHERE) and kind not in _BLOCKS:
        return
    if kind not in _BLOCKS:
        yield f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        return
    yield from (f"{where}.{kind}.{name}: {_EXTRA}" for name in block if name not in _BLOCKS[kind])
    yield from _words(block, "messages")
    if kind == "tool_use":
        if not _ID.fullmatch(str(block.get("id", ""))):
            yield f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if not isinstance(block.get("input"), dict):
            yield f"{where}.tool_use.input: Input should be a valid dictionary"
    elif kind == "tool_result":
        for index, inner in enumerate(listed(block, "content")):
            yield from _words(inner, f"{where}.tool_result.content.{index}")
    elif kind == "thinking" and block.get("signature") not in issued.signatures:
        yield f"{where}: Invalid `signature` in `thinking` block"
    elif kind == "redacted_thinking" and block.get("data") not in issued.signatures:
        yield f"{where}: Invalid `data` in `redacted_thinking` block"


def _words(block: Body, where: str) -> Iterator[str]:
    if block.get("type") != "text":
        return
    if not block.get("text"):
        yield f"{where}: text content blocks must be non-empty"
    elif str(block["text"]).isspace():
        yield f"{where}: text content blocks must contain non-whitespace text"


def _calls(messages: list[Body]) -> Iterator[str]:
    seen: set[str] = set()
    before: list[str] = []
    for at, message in enumerate([*messages, {}]):
        answered = list(_leading_results(message))
        missing = [id_ for id_ in before if id_ not in answered]
        if missing:
            yield (
                f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
            )
        yield from _results(at, message, before)
        before = [str(block.get("id")) for block in listed(message, "content") if block.get("type") == "tool_use"]
        if message.get("role") == "user" and before:
            yield f"messages.{at}: `tool_use` blocks can only be in `assistant` messages"
        if len({*before}) < len(before) or seen.intersection(before):
            yield "messages: `tool_use` ids must be unique"
        seen.update(before)


def _leading_results(message: Body) -> Iterator[str]:
    for block in listed(message, "content"):
        if block.get("type") != "tool_result":
            return
        yield str(block.get("tool_use_id"))


def _results(at: int, message: Body, before: list[str]) -> Iterator[str]:
    found: set[str] = set()
    for index, block in enumerate(listed(message, "content")):
        if block.get("type") != "tool_result":
            continue
        id_ = str(block.get("tool_use_id"))
        if id_ not in before:
            yield (
                f"messages.{at}.content.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {id_}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if id_ in found:
            yield f"messages.{at}.content.{index}: each tool_use must have a single result. Found multiple for id: {id_}"
        found.add(id_)


def _thinking(body: Body) -> Iterator[str]:
    thinking = held(body, "thinking")
    forced = held(body, "tool_choice").get("type") in ("any", "tool")
    sampling = claude.Sampling(
        number(body, "max_tokens"), number(body, "temperature"), number(body, "top_p"), body.get("top_k"), forced
    )
    yield from claude.complaints(thinking, sampling)
    unknown = [name for name in given(thinking) if name not in ("type", "budget_tokens", "display")]
    yield from (f"thinking.{thinking.get('type')}.{name}: {_EXTRA}" for name in unknown)
    if thinking.get("type") != "enabled":
        return
    last = next(
        (at for at, m in reversed([*enumerate(listed(body, "messages"))]) if m.get("role") == "assistant"), None
    )
    blocks = listed(listed(body, "messages")[last], "content") if last is not None else []
    kinds = [str(block.get("type")) for block in blocks]
    if "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking"):
        yield (
            f"messages.{last}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`. "
            "When `thinking` is enabled, a final `assistant` message must start with a thinking block."
        )
