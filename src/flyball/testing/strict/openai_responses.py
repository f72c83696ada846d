"""What OpenAI's Responses refuse: above all items that do not belong together."""

import re
from collections.abc import Iterator
from typing import Any

from flyball.testing.dialect import Ask, Failure, Issued

from .looking import Body, held, listed, number, says_json

_KNOWN = {
    "access_programs", "background", "context_management", "conversation", "image", "include", "input", "instructions",
    "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls",
    "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning",
    "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice",
    "tools", "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip
_PREFIXES = {"function_call": "fc", "message": "msg", "reasoning": "rs"}
_ITEMS = ("message", "function_call", "function_call_output", "reasoning", "item_reference", "image_generation_call")
_INPUT = ("input_text", "input_image", "input_file", "input_audio")
_OUTPUT = ("output_text", "refusal")
_REASONS_ONLY = re.compile(r"(o\d|gpt-5(?![.\d]|-chat))")


def refusal(body: Body, ask: Ask, headers: dict[str, str], issued: Issued) -> Failure | None:  # noqa: ARG001 -- all rules are of the body
    """The first thing that is wrong with a request."""
    return next(_complaints(body, ask, issued), None)


def _no(message: str, param: str | None = "input", code: str = "") -> Failure:
    return Failure(400, message, code, param)


def _complaints(body: Body, ask: Ask, issued: Issued) -> Iterator[Failure]:
    for name in body:
        if name not in _KNOWN:
            yield _no(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    for name in ("model", "input"):
        if body.get(name) is None:
            yield _no(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    previous = body.get("previous_response_id")
    if previous is not None and previous not in issued.responses:
        said = f"Previous response with id '{previous}' not found."
        yield _no(said, "previous_response_id", "previous_response_not_found")
    yield from _options(body, ask)
    yield from _tools(body)
    items = listed(body, "input")
    for at, item in enumerate(items):
        yield from _item(at, item)
    yield from _calls(items, known=bool(previous or body.get("conversation")))
    yield from _thoughts(items, issued)


def _options(body: Body, ask: Ask) -> Iterator[Failure]:
    if body.get("stream_options") is not None and not body.get("stream"):
        yield _no("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    most = number(body, "max_output_tokens")
    if most is not None and most < 16:
        said = (
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {most} instead."
        )
        yield _no(said, "max_output_tokens", "integer_below_min_value")
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1) and _REASONS_ONLY.match(ask.model):
            said = f"Unsupported parameter: '{name}' is not supported with this model."
            yield _no(said, name, "unsupported_parameter")
    form = held(held(body, "text"), "format")
    if form.get("type") == "json_schema" and not form.get("name"):
        yield _no("Missing required parameter: 'text.format.name'.", "text.format.name", "missing_required_parameter")
    if form.get("type") == "json_object" and not says_json(body.get("input")):
        said = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
        yield _no(said)


def _tools(body: Body) -> Iterator[Failure]:
    tools = listed(body, "tools")
    for at, tool in enumerate(tools):
        if tool.get("type") == "function" and not tool.get("name"):
            where = f"tools[{at}].name"
            yield _no(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    chosen = held(body, "tool_choice").get("name")
    if chosen is not None and chosen not in [tool.get("name") for tool in tools]:
        yield _no(f"Tool choice '{chosen}' not found in 'tools' parameter.", "tool_choice")


def _item(at: int, item: Body) -> Iterator[Failure]:
    kind = item.get("type", "message")
    if kind not in _ITEMS and not str(kind).endswith(("_call", "_call_output", "_list_tools")):
        yield _no(f"Invalid value: '{kind}'.", f"input[{at}]", "invalid_value")
    prefix = _PREFIXES.get(str(kind))
    if item.get("id") and prefix and not str(item["id"]).startswith(prefix):
        said = f"Invalid 'input[{at}].id': '{item['id']}'. Expected an ID that begins with '{prefix}'."
        yield _no(said, f"input[{at}].id", "invalid_value")
    if kind == "function_call" and not isinstance(item.get("arguments"), str):
        where = f"input[{at}].arguments"
        yield _no(f"Invalid type for '{where}': expected a string.", where, "invalid_type")
    if kind == "reasoning" and not isinstance(item.get("summary"), list):
        where = f"input[{at}].summary"
        yield _no(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    allowed = _OUTPUT if item.get("role") == "assistant" else _INPUT
    for index, part in enumerate(listed(item, "content") if kind == "message" else []):
        if part.get("type") not in allowed:
            supported = " and ".join(f"'{name}'" for name in allowed)
            said = f"Invalid value: '{part.get('type')}'. Supported values are: {supported}."
            yield _no(said, f"input[{at}].content[{index}]", "invalid_value")


def _calls(items: list[Body], *, known: bool) -> Iterator[Failure]:
    """A call and its output are in one request, in this order; what is kept elsewhere may hold the call."""
    called: list[Any] = []
    answered = [item.get("call_id") for item in items if item.get("type") == "function_call_output"]
    for item in items:
        if item.get("type") == "function_call":
            called.append(item.get("call_id"))
        elif item.get("type") == "function_call_output" and item.get("call_id") not in called and not known:
            yield _no(f"No tool call found for function call output with call_id {item.get('call_id')}.")
    yield from (_no(f"No tool output found for function call {id_}.") for id_ in called if id_ not in answered)


def _thoughts(items: list[Body], issued: Issued) -> Iterator[Failure]:
    before: set[Any] = set()
    for at, item in enumerate(items):
        id_ = item.get("id")
        if item.get("type") == "reasoning":
            yield from _thought(item, issued)
            behind = items[at + 1] if at + 1 < len(items) else {}
            if not _follows(behind):
                yield _no(f"Item '{id_}' of type 'reasoning' was provided without its required following item.")
        needed = issued.items.get(str(id_))
        if needed and needed not in before:
            said = f"Item '{id_}' of type '{item.get('type')}' was provided without its required 'reasoning' item: '{needed}'."
            yield _no(said)
        before.add(id_)


def _follows(item: Body) -> bool:
    said = item.get("type", "message") == "message" and item.get("role") == "assistant"
    return said or item.get("type") in ("reasoning", "function_call", "image_generation_call", "item_reference")


def _thought(item: Body, issued: Issued) -> Iterator[Failure]:
    encrypted = item.get("encrypted_content")
    if encrypted is not None and encrypted not in issued.signatures:
        said = (
            "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed."
        )
        yield _no(said, None, "invalid_encrypted_content")
    if encrypted is None and item.get("id") not in issued.items:
        said = f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
        yield Failure(404, said, "", "input")
