"""What OpenAI's own Chat Completions refuse. Compatible servers take more: a test of one is not strict."""

import re
from collections.abc import Iterator
from typing import Any

from flyball.testing.dialect import Ask, Failure, Issued

from .looking import Body, given, held, listed, says_json

_KNOWN = {
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
    "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls", "prediction",
    "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
    "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options",
    "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
}  # fmt: skip
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_REASONS = re.compile(r"(o\d|gpt-5)")
_REASONS_ONLY = re.compile(r"(o\d|gpt-5(?![.\d]|-chat))")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def refusal(body: Body, ask: Ask, headers: dict[str, str], issued: Issued) -> Failure | None:  # noqa: ARG001 -- all rules are of the body
    """The first thing that is wrong with a request."""
    return next(_complaints(body, ask.model), None)


def _no(message: str, param: str | None = None, code: str = "") -> Failure:
    return Failure(400, message, code, param)


def _complaints(body: Body, model: str) -> Iterator[Failure]:
    yield from (_no(f"Unrecognized request argument supplied: {name}") for name in body if name not in _KNOWN)
    if not model:
        yield _no("you must provide a model parameter")
    if "messages" not in body:
        yield _no("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    yield from _empty(body, "messages")
    yield from _empty(body, "tools")
    yield from _options(body)
    yield from _limits(body, model)
    yield from _tools(body)
    messages = listed(body, "messages")
    for at, message in enumerate(messages):
        yield from _message(at, message)
    yield from _calls(messages)


def _empty(body: Body, name: str) -> Iterator[Failure]:
    if body.get(name) == []:
        said = (
            f"Invalid '{name}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        yield _no(said, name, "empty_array")


def _options(body: Body) -> Iterator[Failure]:
    if body.get("stream_options") is not None and not body.get("stream"):
        said = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield _no(said, "stream_options")
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) is not None and not body.get("tools"):
            yield _no(f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name)
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        said = f"Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {len(stop)} instead."
        yield _no(said, "stop", "array_above_max_length")
    if held(body, "response_format").get("type") == "json_object" and not says_json(body.get("messages")):
        said = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        yield _no(said, "messages")


def _limits(body: Body, model: str) -> Iterator[Failure]:
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        yield _no("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens")
    if body.get("max_tokens") is not None and _REASONS.match(model):
        said = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        yield _no(said, "max_tokens", "unsupported_parameter")
    if not _REASONS_ONLY.match(model):
        return
    for name, default in (("temperature", 1), ("top_p", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
        if body.get(name) not in (None, default):
            said = f"Unsupported value: '{name}' does not support {body[name]} with this model. Only the default ({default}) value is supported."
            yield _no(said, name, "unsupported_value")
    for name in ("stop", "logit_bias"):
        if body.get(name):
            yield _no(
                f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter"
            )


def _tools(body: Body) -> Iterator[Failure]:
    names = []
    for at, tool in enumerate(listed(body, "tools")):
        if tool.get("type") not in ("function", "custom"):
            said = f"Invalid value: '{tool.get('type')}'. Supported values are: 'function' and 'custom'."
            yield _no(said, f"tools[{at}].type", "invalid_value")
        names.append(str(held(tool, str(tool.get("type"))).get("name", "")))
        if not _NAME.fullmatch(names[-1]):
            where = f"tools[{at}].function.name"
            said = f"Invalid '{where}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            yield _no(said, where, "invalid_value")
    chosen = held(held(body, "tool_choice"), "function").get("name")
    if chosen is not None and chosen not in names:
        yield _no(f"Tool choice '{chosen}' not found in 'tools' parameter.", "tool_choice")


def _message(at: int, message: Body) -> Iterator[Failure]:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        supported = ", ".join(f"'{name}'" for name in _ROLES[:-1])
        said = f"Invalid value: '{role}'. Supported values are: {supported}, and 'developer'."
        yield _no(said, f"messages[{at}].role", "invalid_value")
    spared = role == "assistant" and any(name in ("tool_calls", "refusal", "audio") for name in given(message))
    if content is None and not spared:
        yield _no("Invalid value for 'content': expected a string, got null.", f"messages.[{at}].content")
    for index, part in enumerate(listed(message, "content")):
        if part.get("type") not in _PARTS:
            said = f"Invalid value: '{part.get('type')}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'."
            yield _no(said, f"messages[{at}].content[{index}].type", "invalid_value")
    for index, call in enumerate(listed(message, "tool_calls")):
        where = f"messages[{at}].tool_calls[{index}]"
        if call.get("type") == "function" and not isinstance(held(call, "function").get("arguments"), str):
            yield _no(
                f"Invalid type for '{where}.function.arguments': expected a string.",
                f"{where}.function.arguments",
                "invalid_type",
            )


_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")


def _calls(messages: list[Body]) -> Iterator[Failure]:
    waiting: list[Any] = []
    answered: set[Any] = set()
    for at, message in enumerate([*messages, {"role": "user"}]):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in [*waiting, *answered]:
                said = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                yield _no(said, f"messages.[{at}].role")
            waiting = [id_ for id_ in waiting if id_ != message.get("tool_call_id")]
            answered.add(message.get("tool_call_id"))
            continue
        if waiting:
            missing = ", ".join(str(id_) for id_ in waiting)
            said = (
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
                f"The following tool_call_ids did not have response messages: {missing}"
            )
            yield _no(said, f"messages.[{at}].role")
        waiting = [call.get("id") for call in listed(message, "tool_calls")]
        answered = set()
