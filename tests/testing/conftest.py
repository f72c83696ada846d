"""The five dialects by the vendors' own clients, each told in the same plain words.

`asking` gives what one answer said, whole or streamed; the clients themselves are there for what only they can show.
"""

import asyncio
import contextlib
from functools import cached_property
from typing import Any, NamedTuple

import anthropic
import botocore.session
import msgspec
import openai
import pytest
from botocore.config import Config
from google import genai
from google.genai import types

from flyball.testing import ScriptedUpstream

DIALECTS = ("openai_chat", "openai_responses", "anthropic", "gemini", "bedrock")
KEY = "the-key"
AMAZON = botocore.session.get_session()  # which reads its models once


class Heard(NamedTuple):
    """One answer. `stop` is the vendor's own word; tokens are those of the prompt and of the answer."""

    text: str
    thought: str
    signature: str
    calls: list[tuple[str, Any]]
    stop: str
    tokens: tuple[int, int]


class Clients:
    """The official clients of one upstream. Each is asked one plain question."""

    def __init__(self, upstream, model, key):
        self.upstream = upstream
        self.model = model
        self.key = key

    @cached_property
    def openai(self):
        return openai.AsyncOpenAI(base_url=self.upstream.base_url, api_key=self.key, max_retries=0, timeout=5)

    @cached_property
    def anthropic(self):
        return anthropic.AsyncAnthropic(base_url=self.upstream.root_url, api_key=self.key, max_retries=0, timeout=5)

    @cached_property
    def google(self):
        return genai.Client(api_key=self.key, http_options=types.HttpOptions(base_url=self.upstream.root_url)).aio

    @cached_property
    def amazon(self):
        return AMAZON.create_client(
            "bedrock-runtime",
            region_name="eu-central-1",
            endpoint_url=self.upstream.root_url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.key,
            config=Config(retries={"total_max_attempts": 1}),
        )

    async def close(self):
        made = vars(self)
        if "openai" in made:
            await self.openai.close()
        if "anthropic" in made:
            await self.anthropic.close()
        if "google" in made:
            await self.google.aclose()
        if "amazon" in made:
            self.amazon.close()

    async def ask(self, dialect, *, streamed, **more):
        """What was heard."""
        return await getattr(self, f"_{dialect}")(streamed, more)

    async def _openai_chat(self, streamed, more):
        asked = {"model": self.model, "messages": [{"role": "user", "content": "x"}], **more}
        if streamed:
            options = {"include_usage": True}
            async with self.openai.chat.completions.stream(**asked, stream_options=options) as stream:
                answer = await stream.get_final_completion()
        else:
            answer = await self.openai.chat.completions.create(**asked)
        message, usage = answer.choices[0].message, answer.usage
        calls = [
            (call.function.name, msgspec.json.decode(call.function.arguments or "{}"))
            for call in message.tool_calls or ()
        ]
        thought = (message.model_extra or {}).get("reasoning_content") or ""
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        return Heard(message.content or "", thought, "", calls, answer.choices[0].finish_reason, tokens)

    async def _openai_responses(self, streamed, more):
        asked = {"model": self.model, "input": "x", "include": ["reasoning.encrypted_content"], **more}
        if streamed:
            async with self.openai.responses.stream(**asked) as stream:
                answer = await stream.get_final_response()
        else:
            answer = await self.openai.responses.create(**asked)
        thoughts = [item for item in answer.output if item.type == "reasoning"]
        calls = [
            (item.name, msgspec.json.decode(item.arguments or "{}"))
            for item in answer.output
            if item.type == "function_call"
        ]
        stop = answer.incomplete_details.reason if answer.incomplete_details else answer.status
        tokens = (answer.usage.input_tokens, answer.usage.output_tokens) if answer.usage else (0, 0)
        said = "".join(piece.text for item in thoughts for piece in item.summary)
        signature = "".join(item.encrypted_content or "" for item in thoughts)
        return Heard(answer.output_text, said, signature, calls, stop, tokens)

    async def _anthropic(self, streamed, more):
        asked = {"model": self.model, "max_tokens": 2000, "messages": [{"role": "user", "content": "x"}], **more}
        if streamed:
            async with self.anthropic.messages.stream(**asked) as stream:
                answer = await stream.get_final_message()
        else:
            answer = await self.anthropic.messages.create(**asked)
        text = "".join(block.text for block in answer.content if block.type == "text")
        thoughts = [block for block in answer.content if block.type == "thinking"]
        calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
        usage = answer.usage
        read = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0) if usage else 0
        tokens = (usage.input_tokens + read, usage.output_tokens) if usage else (0, 0)
        said, signature = ("".join(getattr(b, name) for b in thoughts) for name in ("thinking", "signature"))
        return Heard(text, said, signature, calls, answer.stop_reason, tokens)

    async def _gemini(self, streamed, more):
        asked = {"model": self.model, "contents": "x", **more}
        if streamed:
            answers = [chunk async for chunk in await self.google.models.generate_content_stream(**asked)]
        else:
            answers = [await self.google.models.generate_content(**asked)]
        parts = [part for answer in answers for one in answer.candidates or () for part in one.content.parts or ()]
        last = answers[-1]
        signature = "".join((part.thought_signature or b"").decode() for part in parts)
        usage = last.usage_metadata
        said = (usage.candidates_token_count + (usage.thoughts_token_count or 0)) if usage else 0
        return Heard(
            "".join(part.text or "" for part in parts if not part.thought),
            "".join(part.text or "" for part in parts if part.thought),
            signature,
            [(part.function_call.name, part.function_call.args) for part in parts if part.function_call],
            last.candidates[0].finish_reason.value,
            (usage.prompt_token_count, said) if usage else (0, 0),
        )

    async def _bedrock(self, streamed, more):
        asked = {"modelId": self.model, "messages": [{"role": "user", "content": [{"text": "x"}]}], **more}
        return await asyncio.to_thread(self._amazon_streamed if streamed else self._amazon_whole, asked)

    def _amazon_whole(self, asked):
        answer = self.amazon.converse(**asked)
        blocks = answer["output"]["message"]["content"]
        thoughts = [b["reasoningContent"]["reasoningText"] for b in blocks if "reasoningContent" in b]
        return Heard(
            "".join(block.get("text", "") for block in blocks),
            "".join(thought["text"] for thought in thoughts),
            "".join(thought["signature"] for thought in thoughts),
            [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if "toolUse" in block],
            answer["stopReason"],
            _amazons(answer.get("usage")),
        )

    def _amazon_streamed(self, asked):
        with contextlib.closing(self.amazon.converse_stream(**asked)["stream"]) as stream:
            events = list(stream)
        deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
        thoughts = [delta["delta"].get("reasoningContent", {}) for delta in deltas]
        starts = [event["contentBlockStart"] for event in events if "contentBlockStart" in event]
        calls = []
        for start in starts:
            at = start["contentBlockIndex"]
            said = "".join(d["delta"]["toolUse"]["input"] for d in deltas if d["contentBlockIndex"] == at)
            calls.append((start["start"]["toolUse"]["name"], msgspec.json.decode(said or "{}")))
        (stop,) = (event["messageStop"]["stopReason"] for event in events if "messageStop" in event)
        return Heard(
            "".join(delta["delta"].get("text", "") for delta in deltas),
            "".join(thought.get("text", "") for thought in thoughts),
            "".join(thought.get("signature", "") for thought in thoughts),
            calls,
            stop,
            _amazons(next((event["metadata"]["usage"] for event in events if "metadata" in event), None)),
        )


def _amazons(usage):
    if usage is None:
        return (0, 0)
    read = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    return (usage["inputTokens"] + read, usage["outputTokens"])


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


@pytest.fixture
async def upstream():
    async with ScriptedUpstream() as running:
        yield running


@pytest.fixture
async def strict():
    """An upstream that refuses what the vendors refuse."""
    async with ScriptedUpstream(strict=True, key=KEY) as running:
        yield running


@pytest.fixture
async def clients_of():
    """The clients of an upstream, closed in the end."""
    made = []

    def of(upstream, model="mock-small", key=KEY):
        made.append(Clients(upstream, model, key))
        return made[-1]

    yield of
    for clients in made:
        await clients.close()


@pytest.fixture
def clients(upstream, clients_of):
    return clients_of(upstream)
