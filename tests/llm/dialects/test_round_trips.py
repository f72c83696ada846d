"""Whatever a dialect can hold of a request is read back the same when it has been written: Anthropic's and OpenAI's chat.

Gemini's and Responses' stand with their other requests. What goes through a dialect that is not its own keeps its words.
"""

import json
from typing import Any

import msgspec
import official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vocabulary import NAMES, WORDS, Holds, requests

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.losses import Losses
from flyball.llm.messages import Media, Reasoning, Request, Text, Tool, ToolCall, ToolResult
from flyball.llm.translation import dialect

ANTHROPIC = Holds(
    dialect="anthropic_messages",
    origin="anthropic",
    redacted=True,
    media=(("image", "data"), ("image", "url"), ("document", "data"), ("document", "url"), ("document", "text")),
    result_media=(("image", "data"),),
    caches=("", "5m", "1h"),
    errors=(None, True, False),
    named_results=True,
    reasoning=st.sampled_from(
        [
            Reasoning(effort="max"),
            Reasoning(budget=2048),
            Reasoning(budget=0),
            Reasoning(effort="low", budget=2048, show="none"),
            Reasoning(adaptive=True, show="auto"),
        ]
    ),
    fields={
        "temperature": st.just(1),
        "top_p": st.sampled_from([0.95, 1]),
        "stop": st.lists(WORDS, min_size=1, max_size=3).map(tuple),
        "user": NAMES,
        "metadata": st.dictionaries(st.sampled_from(["team", "run"]), NAMES, min_size=1),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
        "stream": st.just(True),
    },
)
CHAT = Holds(
    dialect="openai_chat",
    origin="anthropic",
    thoughts_without_signature=True,
    media=(
        ("image", "data"),
        ("image", "url"),
        ("audio", "data"),
        ("document", "file"),
    ),  # OpenAI demands a name of others
    several_systems=True,
    developer=True,
    caches=("", "5m", "1h"),
    formats=("json", "schema"),
    format_names=True,
    fields={
        "temperature": st.sampled_from([0, 0.5, 2]),
        "top_p": st.sampled_from([0.1, 1]),
        "top_k": st.integers(1, 40),
        "seed": st.integers(0, 2**31),
        "frequency_penalty": st.sampled_from([-1.5, 0.5]),
        "presence_penalty": st.sampled_from([-1.5, 0.5]),
        "candidates": st.integers(1, 8),
        "logprobs": st.just(True),
        "top_logprobs": st.integers(0, 5),
        "stop": st.lists(WORDS, min_size=1, max_size=4).map(tuple),
        "user": NAMES,
        "metadata": st.dictionaries(NAMES, NAMES, min_size=1, max_size=2),
        "service_tier": st.sampled_from(["auto", "flex"]),
        "store": st.booleans(),
        "verbosity": st.sampled_from(["low", "high"]),
    },
)
TAKES_ALL = Quirks(developer_role=True, reasoning_details=True, cache_points="cache_control")
BARE = ANTHROPIC._replace(thoughts=False, caches=(), media=(("image", "data"),), result_media=(), fields={})
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def asked(holds: Holds) -> st.SearchStrategy[Request]:
    """Requests that a dialect can hold; what is not said is empty where the vocabulary has it so."""
    empty: dict[str, Any] = {"stop": (), "user": "", "service_tier": "", "verbosity": "", "stream": False}

    def sound(request: Request) -> Request:
        return msgspec.structs.replace(request, **{name: getattr(request, name) or empty[name] for name in empty})

    return requests(holds).map(sound)


def bare(request: Request) -> Request:
    """Without where its things stand."""
    return msgspec.structs.replace(request, paths=(), places=(), tool_paths=())


def again(name: str, request: Request) -> Request:
    """What is read of what is written, and nothing may be lost of it."""
    spoken = dialect(name)
    body = spoken.write_request(request, model="m", quirks=TAKES_ALL, losses=Losses(name, strict=True))
    path: Any = {"model": "m", "stream": False} if name == "gemini" else {}
    return spoken.parse_request(spoken.ask(body, **path))


@given(asked(ANTHROPIC))
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_what_is_said_in_anthropics_words_is_read_back_the_same(request: Request) -> None:
    assert bare(again("anthropic_messages", request)) == request


@given(asked(CHAT))
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_what_is_said_in_chat_is_read_back_the_same(request: Request) -> None:
    assert bare(again("openai_chat", request)) == request


@pytest.mark.parametrize("target", ["anthropic_messages", "openai_chat"])
@given(asked(BARE))
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_the_vendor_takes_what_another_dialects_caller_asks(target: str, request: Request) -> None:
    foreign = msgspec.structs.replace(request, dialect="openai_responses", reasoning=None)

    body = dialect(target).write_request(foreign, model="m", quirks=Quirks(), losses=Losses(target))

    official.judge_request(target, json.loads(body))


@pytest.mark.parametrize("name", ["anthropic_messages", "openai_chat", "openai_responses", "gemini"])
@given(asked(BARE))
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_a_round_trip_through_any_dialect_keeps_the_words_the_calls_and_the_tools(name: str, request: Request) -> None:
    foreign = msgspec.structs.replace(request, reasoning=None, dialect="openai_chat")
    losses = Losses(name)
    spoken = dialect(name)
    body = spoken.write_request(foreign, model="m", quirks=TAKES_ALL, losses=losses)

    read = spoken.parse_request(spoken.ask(body, **({"model": "m", "stream": False} if name == "gemini" else {})))

    assert words(read) == words(request)
    assert schemas(read) == schemas(request)
    assert read.max_tokens == request.max_tokens
    assert all(lost.endswith((".is_error", ".strict", "tool_choice")) for lost in losses.dropped)


def schemas(request: Request) -> list[Any]:
    """What its tools take, by their names."""
    return [
        (tool.name, msgspec.json.decode(tool.parameters or b"null")) for tool in request.tools if isinstance(tool, Tool)
    ]


def words(request: Request) -> list[tuple[Any, ...]]:
    """Everything that is said, in order."""
    found: list[tuple[Any, ...]] = []
    for message in request.messages:
        for part in message.parts:
            match part:
                case Text():
                    found.append((message.role, part.text))
                case ToolCall():
                    found.append((part.name, json.loads(part.arguments)))
                case ToolResult():
                    found.append(("result", *(one.text for one in part.parts if isinstance(one, Text))))
                case Media():
                    found.append((part.kind, part.data))
    return found
