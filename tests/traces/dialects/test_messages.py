"""Messages in the shapes of providers and libraries, as one shape."""

import json

import pytest

from flyball.traces.dialects.messages import read_messages, text_of

HI = [{"role": "user", "content": "Hi"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}

SHAPES = {
    "OpenAI's chat": ({"messages": [{"role": "user", "content": "Hi"}], "model": "m"}, HI),
    "OpenAI's Responses": ({"instructions": "Be brief.", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}, [{"role": "system", "content": "Be brief."}, *HI]),
    "a completion's prompt": ({"prompt": "Hi"}, HI),
    "Anthropic's Messages": ({"system": [{"type": "text", "text": "Be brief."}], "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, [{"role": "system", "content": "Be brief."}, *HI]),
    "Gemini's contents": ({"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, [{"role": "system", "content": "Be brief."}, *HI]),
    "LangChain's own words": ([[{"type": "human", "data": {"content": "Hi", "type": "human"}}]], HI),
    "LangChain's serialised class": ([{"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"], "kwargs": {"content": "Hi"}}], HI),
    "OpenTelemetry's parts": ([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}], HI),
    "several texts": ([{"role": "user", "content": ["Hi", {"type": "text", "text": "you"}]}], [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "you"}]}]),
    "a call of OpenAI's": ([{"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}]}], [{"role": "assistant", "tool_calls": [CALL]}]),
    "a call of Responses": ([{"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Paris"}'}], [{"role": "assistant", "tool_calls": [CALL]}]),
    "a call of Anthropic's": ([{"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}]}], [{"role": "assistant", "tool_calls": [CALL]}]),
    "a call of LangChain's": ([{"role": "ai", "content": "", "tool_calls": [{"name": "weather", "args": {"city": "Paris"}, "id": "call_1", "type": "tool_call"}]}], [{"role": "assistant", "tool_calls": [CALL]}]),
    "a call of Gemini's": ([{"role": "model", "parts": [{"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Paris"}}}]}], [{"role": "assistant", "tool_calls": [CALL]}]),
    "a call that is told twice": ([{"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}], "tool_calls": [{"name": "weather", "args": {"city": "Paris"}, "id": "call_1"}]}], [{"role": "assistant", "tool_calls": [CALL]}]),
    "the result of OpenAI's": ([{"role": "tool", "tool_call_id": "call_1", "content": "sunny"}], [{"role": "tool", "content": "sunny", "tool_call_id": "call_1"}]),
    "the result of Responses": ([{"type": "function_call_output", "call_id": "call_1", "output": "sunny"}], [{"role": "tool", "content": "sunny", "tool_call_id": "call_1"}]),
    "results of Anthropic's, and a word": ([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "sunny"}]}, {"type": "text", "text": "And?"}]}], [{"role": "tool", "content": "sunny", "tool_call_id": "call_1"}, {"role": "user", "content": "And?"}]),
    "the result of the AI SDK's": ([{"role": "tool", "content": [{"type": "tool-result", "toolCallId": "call_1", "toolName": "weather", "output": {"type": "text", "value": "sunny"}}]}], [{"role": "tool", "content": "sunny", "tool_call_id": "call_1"}]),
    "a thought of Anthropic's": ([{"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, {"type": "text", "text": "Yes."}]}], [{"role": "assistant", "content": "Yes.", "reasoning": "Hm."}]),
    "a thought of Gemini's": ([{"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "Yes."}]}], [{"role": "assistant", "content": "Yes.", "reasoning": "Hm."}]),
    "a thought of Responses": ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}], [{"role": "assistant", "reasoning": "Hm."}]),
    "a thought of DeepSeek's": ([{"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}], [{"role": "assistant", "content": "Yes.", "reasoning": "Hm."}]),
    "an image of OpenAI's": ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}]}], [{"role": "user", "content": [{"type": "image", "url": "https://x/a.png"}]}]),
    "an image of Anthropic's": ([{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]}], [{"role": "user", "content": [{"type": "image", "mime_type": "image/png", "data": "aGk="}]}]),
    "an image of Gemini's": ([{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}], [{"role": "user", "content": [{"type": "image", "mime_type": "image/png", "data": "aGk="}]}]),
    "OpenTelemetry's blob": ([{"role": "user", "parts": [{"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="}]}], [{"role": "user", "content": [{"type": "image", "mime_type": "image/png", "data": "aGk="}]}]),
    "OpenTelemetry's file": ([{"role": "user", "parts": [{"type": "file", "modality": "image", "file_id": "f-1"}]}], [{"role": "user", "content": [{"type": "image", "file_id": "f-1"}]}]),
    "a part that nobody knows": ([{"role": "user", "parts": [{"type": "hologram", "depth": 3}]}], [{"role": "user", "content": [{"type": "hologram", "depth": 3}]}]),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_messages_of_every_shape_are_read(shape):
    given, expected = SHAPES[shape]

    assert read_messages(given) == expected
    assert read_messages(json.dumps(given)) == expected
    assert read_messages(expected) == expected, "what is ours stays as it is"


@pytest.mark.parametrize(
    "value",
    ["Hi", "", "[1, 2", {"question": "Why?"}, {"input": "Hi"}, [], {}, ["a", "b"], [[1]], 7, None, {"content": 3}],
)
def test_what_is_no_conversation_is_none(value):
    assert read_messages(value) is None


ANSWERS = {
    "OpenAI's": {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}]},
    "Responses": {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}]},
    "Anthropic's": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
    "Gemini's": {"candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]},
    "LangChain's": {"generations": [[{"text": "Yes.", "message": {"type": "ai", "content": "Yes."}}]]},
}  # fmt: skip


@pytest.mark.parametrize("provider", ANSWERS)
def test_an_answer_of_nothing_but_words_is_those_words(provider):
    assert text_of(read_messages(ANSWERS[provider], "assistant")) == "Yes."


def test_nesting_without_end_is_no_conversation():
    deep = HI
    for _ in range(100):
        deep = {"messages": deep}

    assert read_messages(deep) is None
    assert read_messages("[" * 100_000) is None
