"""The vendors' own clients as judges: their types for what is sent to them, their parsers for what is answered in their dialect.

`judge_request` fails for a body with a field or a value that the vendor's types do not know; `hear` plays a stream to the
official client and says what an application heard.
"""

import json
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import anthropic
import anthropic.types as anthropic_types
import httpx2
import openai
import openai.types.chat as chat_types
import openai.types.responses as responses_types
import pydantic
import typing_extensions
from anthropic.types import message_create_params
from bedrock_oracle import judge_request as judge_bedrock
from google import genai
from google.genai import types as google_types
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params


class _FailedError(Exception):
    """A stream that ended in an event of failure, which the client does not raise."""


class Heard(NamedTuple):
    """What an application heard: words, calls (name and arguments), and whether the client raised."""

    text: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    failed: str = ""


# Older models of Anthropic's and most servers that are like OpenAI's take these, and the newest clients have no types for them.
_UNTYPED = {"anthropic_messages": ("temperature", "top_p", "top_k"), "openai_chat": ("top_k",)}
_BLOCKS = pydantic.TypeAdapter(list[anthropic_types.ContentBlockParam])


def judge_request(dialect: str, body: dict[str, Any]) -> None:
    """Fails where a body is not what the vendor publishes."""
    if dialect == "bedrock_converse":
        judge_bedrock(body)
    elif dialect == "gemini":
        _judge_gemini(body)
    else:
        typed = {name: value for name, value in body.items() if name not in _UNTYPED.get(dialect, ())}
        if dialect == "openai_chat":
            typed["messages"] = [_without_conventions(message) for message in body["messages"]]
        _whole(_adapter(dialect).validate_python(typed))
    if dialect == "anthropic_messages":
        # A turn may also hold what an answer held, in classes that take any field: every block has to be one of a request.
        blocks = [one for turn in body["messages"] if isinstance(turn["content"], list) for one in turn["content"]]
        _whole(_BLOCKS.validate_python(blocks))


def _without_conventions(message: dict[str, Any]) -> dict[str, Any]:
    """A message of chat without what OpenAI's own API does not have and most servers that are like it do: thoughts, films."""
    typed = {name: value for name, value in message.items() if name not in ("reasoning_content", "reasoning_details")}
    if isinstance(typed.get("content"), list):
        typed["content"] = [part for part in typed["content"] if part["type"] != "video_url"]
    return typed


@cache
def _adapter(dialect: str) -> pydantic.TypeAdapter[Any]:
    package, type_ = {
        "openai_chat": ("openai.types", completion_create_params.CompletionCreateParams),
        "openai_responses": ("openai.types", response_create_params.ResponseCreateParams),
        "anthropic_messages": ("anthropic.types", message_create_params.MessageCreateParams),
    }[dialect]
    for name, module in list(sys.modules.items()):
        for found in vars(module).values() if name.startswith(package) else ():
            if typing_extensions.is_typeddict(found):
                found.__pydantic_config__ = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return pydantic.TypeAdapter(type_)


def _whole(value: Any) -> Any:
    """Validated iterables are lazy: their elements are judged when they are asked for."""
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return value
    return [_whole(one) for one in value]


_GEMINI: dict[str, Any] = {
    "contents": list[google_types.Content],
    "systemInstruction": google_types.Content,
    "tools": list[google_types.Tool],
    "toolConfig": google_types.ToolConfig,
    "safetySettings": list[google_types.SafetySetting],
    "generationConfig": google_types.GenerationConfig,
    "cachedContent": str,
    "labels": dict[str, str],
    "serviceTier": str,
}


def _judge_gemini(body: dict[str, Any]) -> None:
    assert "contents" in body
    for name, value in body.items():
        pydantic.TypeAdapter(_GEMINI[name]).validate_json(json.dumps(value))


def judge_answer(dialect: str, body: dict[str, Any]) -> Heard:
    """Fails where a whole answer is not what the vendor's client expects; says what an application hears of it."""
    type_ = _ANSWERS[dialect]
    found = type_.model_validate_json(json.dumps(body), strict=None if dialect == "gemini" else True)
    return _OF[dialect]([found] if dialect == "gemini" else found)


_ANSWERS: dict[str, type[pydantic.BaseModel]] = {
    "openai_chat": chat_types.ChatCompletion,
    "openai_responses": responses_types.Response,
    "anthropic_messages": anthropic_types.Message,
    "gemini": google_types.GenerateContentResponse,
}


def _of_chat(found: Any) -> Heard:
    message = found.choices[0].message
    calls = tuple(
        (call.function.name, call.function.arguments)
        if call.type == "function"
        else (call.custom.name, call.custom.input)
        for call in message.tool_calls or ()
    )
    return Heard(message.content or "", calls)


def _of_responses(found: Any) -> Heard:
    calls = tuple(
        (item.name, item.arguments if item.type == "function_call" else item.input)
        for item in found.output
        if item.type in ("function_call", "custom_tool_call")
    )
    return Heard(found.output_text, calls)


def _of_anthropic(found: Any) -> Heard:
    text = "".join(block.text for block in found.content if block.type == "text")
    return Heard(text, tuple((block.name, block.input) for block in found.content if block.type == "tool_use"))


def _of_gemini(chunks: list[Any]) -> Heard:
    parts = [
        part
        for chunk in chunks
        for candidate in chunk.candidates or ()
        if not candidate.index
        for part in (candidate.content and candidate.content.parts) or ()
    ]
    text = "".join(part.text for part in parts if part.text and not part.thought)
    return Heard(
        text, tuple((part.function_call.name, part.function_call.args) for part in parts if part.function_call)
    )


_OF: dict[str, Callable[[Any], Heard]] = {
    "openai_chat": _of_chat,
    "openai_responses": _of_responses,
    "anthropic_messages": _of_anthropic,
    "gemini": _of_gemini,
}


def hear(dialect: str, stream: bytes, *, kept: Callable[[Any], None] | None = None) -> Heard:
    """What the official client makes of a stream. `kept` is given what it has put together."""
    hearing: dict[str, Callable[[httpx2.Client], Any]] = {
        "openai_chat": _hear_chat,
        "openai_responses": _hear_responses,
        "anthropic_messages": _hear_anthropic,
        "gemini": _hear_gemini,
    }

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        try:
            found = hearing[dialect](client)
        except (openai.APIError, anthropic.APIError, genai.errors.APIError, _FailedError) as error:
            return Heard(failed=str(error) or "failed")
    if kept is not None:
        kept(found)
    return _OF[dialect](found)


def _hear_chat(http: httpx2.Client) -> Any:
    client = openai.OpenAI(api_key="k", base_url="http://t/v1", http_client=http, max_retries=0)
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in client.chat.completions.create(model="m", messages=[], stream=True):
        state.handle_chunk(_strict(chunk))
    return state.current_completion_snapshot


def _hear_responses(http: httpx2.Client) -> Any:
    client = openai.OpenAI(api_key="k", base_url="http://t/v1", http_client=http, max_retries=0)
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=openai.omit)
    last, numbers = None, []
    for event in client.responses.create(model="m", input="x", stream=True):
        state.handle_event(_strict(event))
        numbers.append(event.sequence_number)
        last = event
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if last is None or last.type not in ("response.completed", "response.incomplete"):
        raise _FailedError(getattr(last, "type", "nothing"))
    return last.response


def _hear_anthropic(http: httpx2.Client) -> Any:
    client = anthropic.Anthropic(api_key="k", base_url="http://t", http_client=http, max_retries=0)
    with client.messages.stream(model="m", max_tokens=1, messages=[]) as stream:
        for event in stream:
            _strict(event)
        return stream.get_final_message()


def _hear_gemini(http: httpx2.Client) -> list[Any]:
    options = google_types.HttpOptions(base_url="http://t", httpx_client=http)
    client = genai.Client(api_key="k", http_options=options)
    return list(client.models.generate_content_stream(model="m", contents="x"))


def _strict(event: Any) -> Any:
    """The clients construct without validating: an event is validated here."""
    type(event).model_validate_json(event.model_dump_json(exclude_unset=True), strict=True)
    return event


def turn_heard(dialect: str, stream: bytes) -> Any:
    """The assistant's turn that the official client puts together, as an application would send it back."""
    kept: list[Any] = []
    heard = hear(dialect, stream, kept=kept.append)
    assert not heard.failed
    found = kept[-1]
    if dialect == "openai_chat":
        return found.choices[0].message.model_dump(mode="json", exclude_unset=True)
    if dialect == "openai_responses":
        return [item.model_dump(mode="json", exclude_unset=True) for item in found.output]
    if dialect == "anthropic_messages":
        return [block.model_dump(mode="json", exclude_unset=True) for block in found.content]
    chunks = [chunk.model_dump(mode="json", by_alias=True, exclude_none=True) for chunk in found]
    contents = [one["candidates"][0].get("content", {}) for one in chunks if one.get("candidates")]
    return {"role": "model", "parts": [part for content in contents for part in content.get("parts", ())]}
