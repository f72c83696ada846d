"""What Bedrock answers, whole: read from what Amazon's own service model takes for an answer."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bedrock_oracle import judge_answer
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.llm.completions import Completion, Trouble
from flyball.llm.dialects.bedrock_converse import DIALECT
from flyball.llm.messages import Citation, Media, Signature, Stop, Text, Thinking, ToolCall
from flyball.llm.usage import Usage

GOLDEN = Path(__file__).parents[2] / "golden" / "answers" / "bedrock_converse"


def golden(name: str) -> Completion:
    """What a golden answer is read as."""
    found = DIALECT.parse_completion(json.dumps(json.loads((GOLDEN / f"{name}.json").read_text())["given"]).encode())
    assert isinstance(found, Completion)
    return found


def parts(name: str) -> tuple[Any, ...]:
    return golden(name).choices[0].parts


def known(path: Path) -> bool:
    """Whether Bedrock's own model has what a fixture holds."""
    return "bedrock_converse" not in json.loads(path.read_text()).get("beyond_the_client_of", ())


@pytest.mark.parametrize("path", sorted(filter(known, GOLDEN.glob("*.json"))), ids=lambda path: path.stem)
def test_every_golden_answer_is_one_that_converse_gives(path: Path) -> None:
    judge_answer(json.loads(path.read_text())["given"])


def test_thoughts_keep_their_signatures_and_their_places() -> None:
    assert parts("interleaved-thoughts-and-calls") == (
        Thinking(text="First.", signature=Signature(data="c2lnMQ==", origin="anthropic")),
        ToolCall(id="tooluse_a1", name="f", arguments='{"x": 1}'),
        Thinking(text="Second.", signature=Signature(data="c2lnMg==", origin="anthropic")),
        ToolCall(id="tooluse_b2", name="g", arguments='{"y": 2}'),
    )
    assert parts("thought-without-signature")[0] == Thinking(text="Two and two.")
    assert parts("redacted-thought")[0] == Thinking(
        redacted=True, signature=Signature(data="EmwKAhgBEgy3va3pzix/LafPsn4=", origin="anthropic")
    )


def test_arguments_are_the_bytes_that_came() -> None:
    raw = '{"n" : 12345678901234567890123, "f":1.00, "a":1, "a":2}'
    block = f'{{"toolUse":{{"toolUseId":"t","name":"f","input":{raw}}}}}'
    body = f'{{"output":{{"message":{{"role":"assistant","content":[{block}]}}}},"stopReason":"tool_use"}}'

    found = DIALECT.parse_completion(body.encode())

    assert isinstance(found, Completion)
    assert found.choices[0].parts == (ToolCall(id="t", name="f", arguments=raw),)


@pytest.mark.parametrize(
    ("name", "stop"),
    [
        ("text", Stop(reason="stop", native="end_turn")),
        ("parallel-calls", Stop(reason="tool_calls", native="tool_use")),
        ("stop-sequence-named", Stop(reason="stop_sequence", sequence="three", native="stop_sequence")),
        ("stop-sequence-unnamed", Stop(reason="stop_sequence", native="stop_sequence")),
        ("max-tokens", Stop(reason="max_tokens", native="max_tokens")),
        ("context-exceeded", Stop(reason="context", native="model_context_window_exceeded")),
        ("guardrail-intervened", Stop(reason="content_filter", native="guardrail_intervened")),
        ("content-filtered-to-nothing", Stop(reason="content_filter", native="content_filtered")),
    ],
)
def test_every_reason_to_stop_has_its_meaning_and_keeps_its_word(name: str, stop: Stop) -> None:
    assert golden(name).choices[0].stop == stop


def test_what_no_other_dialect_says_is_named_and_the_time_that_it_took_is_not() -> None:
    assert golden("text").leftovers == ()
    assert golden("guardrail-intervened").leftovers == ("trace",)
    assert golden("service-tier").leftovers == ("performanceConfig",)
    assert golden("service-tier").service_tier == "flex"
    assert golden("tools-that-bedrock-ran").leftovers == ("content[0].toolUse", "content[1].toolResult")
    assert parts("tools-that-bedrock-ran") == (Text(text="It rains."),)


def test_citations_stand_on_the_words_that_they_support() -> None:
    cited = parts("citation-of-a-document")[1]
    page = parts("citation-of-a-page")[0].citations[0]

    location = {"documentChar": {"documentIndex": 0, "start": 5, "end": 19}}
    assert cited.text == "The grass is green."
    assert cited.citations == (
        Citation(
            kind="document",
            title="Facts",
            quote="grass is green",
            dialect="bedrock_converse",
            extra={"location": location},
        ),
    )
    assert (page.kind, page.url, page.title) == ("url", "https://example.org/rain", "Weather")


def test_images_are_media() -> None:
    image = parts("image")[1]

    assert isinstance(image, Media)
    assert (image.kind, image.media_type) == ("image", "image/png")


def test_caches_come_on_top_of_the_input() -> None:
    hour = golden("an-hour-of-caching").usage

    assert golden("cache-tokens-come-on-top").usage == Usage(
        input_tokens=10, cache_read_tokens=800, cache_write_tokens=200, output_tokens=5
    )
    assert hour == Usage(input_tokens=10, cache_write_tokens=200, cache_write_1h_tokens=100, output_tokens=5)
    assert golden("zero-is-zero").usage == Usage()


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (b'{"message":"slow down","__type":"ThrottlingException"}', Trouble(message="slow down", code="ThrottlingException", status=429)),
        (b'{"Message":"who?","__type":"com.amazonaws.x#AccessDeniedException:http://x"}', Trouble(message="who?", code="AccessDeniedException", status=403)),
        (b'{"message":"no"}', Trouble(message="no")),
        (b'{"__type":"com.amazon.coral.service#UnknownOperationException"}', Trouble(message="UnknownOperationException", code="UnknownOperationException")),
    ],
)  # fmt: skip
def test_errors_are_read_with_the_status_that_they_mean(body: bytes, trouble: Trouble) -> None:
    assert DIALECT.parse_error(body) == trouble
    assert DIALECT.parse_completion(body) == trouble


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"message":7}', b'"x"', b"", b"[" * 100_000])
def test_what_is_no_error_of_bedrocks_is_none(body: bytes) -> None:
    assert DIALECT.parse_error(body) is None


def test_an_error_of_ours_is_one_of_bedrocks() -> None:
    body = DIALECT.error(429, "slow down", code="ThrottlingException")

    assert DIALECT.parse_error(body) == Trouble(message="slow down", code="ThrottlingException", status=429)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"<html>",
        b'{"output":{}}',
        b'{"output":{"message":{"content":[7]}}}',
        b'{"output":{"message":{"content":[{"text":7}]}}}',
        b'{"output":{"message":{"content":[{"toolUse":{"name":[]}}]}}}',
    ],
)
def test_nonsense_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- any of its family
        DIALECT.parse_completion(body)


_KEYS = st.sampled_from(
    [
        *("output", "message", "content", "text", "toolUse", "input", "reasoningContent", "reasoningText", "image"),
        *(
            "source",
            "bytes",
            "citationsContent",
            "citations",
            "location",
            "web",
            "url",
            "usage",
            "inputTokens",
            "trace",
        ),
        *("stopReason", "serviceTier", "type", "additionalModelResponseFields", "redactedContent", "signature"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON.map(lambda value: msgspec.json.encode({"output": {"message": {"content": [value]}}})) | st.binary())
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_an_answer_an_error_or_a_value_error(body: bytes) -> None:
    try:
        found = DIALECT.parse_completion(body)
    except ValueError:
        return
    assert isinstance(found, Completion | Trouble)
