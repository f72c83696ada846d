"""The four dialects that callers speak and the five that upstreams speak, for tests that hold for each of them.

Says how a caller asks in each, which model of which vendor answers in each, and how the words of a stream are read. Shares nothing
with the gateway's own parsers.
"""

import json
import re

import msgspec
from surroundings import KEY

from flyball.gateway.snapshot import KnownModel
from flyball.kit.secrets import Secret
from flyball.llm.providers.protocol import Upstream
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.records import Prices

CHAT, RESPONSES, ANTHROPIC, GEMINI, BEDROCK = (
    "openai_chat", "openai_responses", "anthropic_messages", "gemini", "bedrock_converse",
)  # fmt: skip
CALLERS = (CHAT, RESPONSES, ANTHROPIC, GEMINI)
UPSTREAMS = (*CALLERS, BEDROCK)
ACROSS = [(caller, face) for caller in CALLERS for face in UPSTREAMS if caller != face]
VENDORS = {
    CHAT: ("openai-compatible", "mock-small"),
    RESPONSES: ("openai", "gpt-5-mini"),
    ANTHROPIC: ("anthropic", "claude-sonnet-4-5"),
    GEMINI: ("gemini", "gemini-2.5-flash"),
    BEDROCK: ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
}
WORDS = "What does a governor do?"
QUESTIONS = {
    CHAT: {"model": "fast", "messages": [{"role": "user", "content": WORDS}]},
    RESPONSES: {"model": "fast", "input": WORDS},
    ANTHROPIC: {"model": "fast", "max_tokens": 50, "messages": [{"role": "user", "content": WORDS}]},
    GEMINI: {"contents": [{"role": "user", "parts": [{"text": WORDS}]}]},
}
PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses", ANTHROPIC: "/v1/messages"}


def behind(upstream, face):
    """The model `fast`, answered by this upstream in this dialect."""
    vendor, model = VENDORS[face]
    base = upstream.base_url if face in (CHAT, RESPONSES) else upstream.base_url.removesuffix("/v1")
    key = Secret("sk-upstream")
    region = "eu-central-1" if face == BEDROCK else ""
    reached = Upstream(vendor=vendor, base_url=base, model=model, api_key=key, dialect=face, region=region)
    endpoint = ResolvedEndpoint(vendor, base, model, key, 1, reached)
    prices = Prices(input="0.15", output="0.60")
    return KnownModel(name="fast", version=3, hash="sha256:m", endpoints=(endpoint,), prices=prices)


def path_of(caller, *, stream=False):
    """Where a caller of this dialect asks."""
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return PATHS.get(caller, f"/v1beta/models/fast:{verb}")


def body_of(caller, *, stream=False, **fields):
    """A question. Of a stream: with its usage."""
    streamed = {"stream": True} if stream and caller != GEMINI else {}
    usage = {"stream_options": {"include_usage": True}} if stream and caller == CHAT else {}
    return msgspec.json.encode({**QUESTIONS[caller], **streamed, **usage, **fields})


async def ask(gateway, caller, *, stream=False, body=None, **fields):
    """What a caller of this dialect is told."""
    body = body or body_of(caller, stream=stream, **fields)
    return await gateway.send("POST", path_of(caller, stream=stream), body, authorization=f"Bearer {KEY}")


def data_of(body):
    """The JSON of every event of a stream."""
    found = [event for event in re.split(rb"\r\n\r\n|\n\n", body) if event.strip()]
    lines = [line[5:].strip() for event in found for line in event.splitlines() if line.startswith(b"data:")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def text_of(caller, body, *, stream=False):
    """The words of an answer."""
    said = data_of(body) if stream else [json.loads(body)]
    return "".join(word for one in said for word in (_STREAMED if stream else _WHOLE)[caller](one))


def _google(one):
    for candidate in one.get("candidates", ()):
        yield from (part.get("text", "") for part in candidate.get("content", {}).get("parts", ()))


_WHOLE = {
    CHAT: lambda one: [one["choices"][0]["message"]["content"] or ""],
    RESPONSES: lambda one: [
        part["text"] for item in one["output"] for part in item.get("content", ()) if part["type"] == "output_text"
    ],
    ANTHROPIC: lambda one: [block["text"] for block in one["content"] if block["type"] == "text"],
    GEMINI: _google,
}
_STREAMED = {
    CHAT: lambda one: [choice["delta"].get("content") or "" for choice in one["choices"]],
    RESPONSES: lambda one: [one["delta"]] if one["type"] == "response.output_text.delta" else [],
    ANTHROPIC: lambda one: [one["delta"].get("text", "")] if one["type"] == "content_block_delta" else [],
    GEMINI: _google,
}
ENDS = {CHAT: b"[DONE]", RESPONSES: b"response.completed", ANTHROPIC: b"message_stop", GEMINI: b'"finishReason"'}
