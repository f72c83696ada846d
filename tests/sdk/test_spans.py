"""What an application says of its spans while they run, and what of it is sent."""

import asyncio
import logging
from types import SimpleNamespace

import msgspec
import pytest

import flyball
from flyball.sdk import telemetry as sdk_telemetry
from flyball.traces.records import Span


def sent(listener) -> dict[str, Span]:
    assert flyball.flush()
    return {span.name: span for span in msgspec.convert(listener.spans, tuple[Span, ...])}


def test_a_span_carries_what_is_said_of_it(listener) -> None:
    @flyball.observe(name="answer", kind="llm")
    def answer() -> str:
        flyball.current_span().set(
            model="small",
            model_response="small-2",
            provider="openai",
            usage={"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
            cost_usd=0.0025,
            prompt="triage",
            prompt_version="3",
            attributes={"temperature": 0.5, "stops": ["a", "b"]},
        )
        return "text"

    answer()

    span = sent(listener)["answer"]
    assert (span.model_requested, span.model_response, span.provider) == ("small", "small-2", "openai")
    assert (span.usage.input_tokens, span.usage.cache_read_tokens, span.usage.output_tokens) == (6, 4, 5)
    assert span.usage_raw == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    assert (span.cost_nano_usd, span.prompt_name, span.prompt_version) == (2_500_000, "triage", "3")
    assert span.attributes == {"temperature": 0.5, "stops": ["a", "b"]}
    assert (span.output, span.status) == ("text", "ok")


@pytest.mark.parametrize(
    ("told", "buckets"),
    [
        ({"input_tokens": 10, "output_tokens": 5}, (10, 0, 5, 0)),
        ({"input_tokens": 10, "cache_read_tokens": 2, "output_tokens": 5, "reasoning_tokens": 1}, (10, 2, 5, 1)),
        ({"input_tokens": 10, "cache_read_input_tokens": 2, "output_tokens": 5}, (10, 2, 5, 0)),
        (
            {
                "input_tokens": 10,
                "input_tokens_details": {"cached_tokens": 2},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 1},
                "total_tokens": 15,
            },
            (8, 2, 4, 1),
        ),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 2, "candidatesTokenCount": 5}, (8, 2, 5, 0)),
        ({"input_tokens": 10, "output_tokens": 5, "service_tier": "standard"}, (10, 0, 5, 0)),
    ],
)
def test_every_providers_counts_become_buckets_that_do_not_overlap(listener, told, buckets) -> None:
    with flyball.span("call") as span:
        span.set(usage=told)
    with flyball.span("of an object") as span:
        span.set(usage=SimpleNamespace(model_dump=lambda **_: told))

    for usage in (found.usage for found in sent(listener).values()):
        assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens) == buckets


def test_session_user_and_tags_are_the_traces(listener) -> None:
    @flyball.observe(name="before")
    def before() -> None: ...

    @flyball.observe(name="inner")
    def inner() -> None:
        flyball.current_span().set(session="s-1", user="ada", tags=["beta"])

    @flyball.observe(name="outer")
    def outer() -> None:
        before()
        inner()
        flyball.current_span().set(tags=["late", "beta"])

    outer()
    with flyball.span("another trace"):
        pass

    spans = sent(listener)
    assert (spans["before"].session_id, spans["before"].tags) == ("", ())
    assert (spans["inner"].session_id, spans["inner"].user_id, spans["inner"].tags) == ("s-1", "ada", ("beta",))
    assert (spans["outer"].session_id, spans["outer"].user_id, spans["outer"].tags) == ("s-1", "ada", ("beta", "late"))
    assert spans["another trace"].session_id == ""


def test_events_and_links_are_kept_with_their_time_and_attributes(listener) -> None:
    with flyball.span("first") as first:
        headers = flyball.trace_headers()
    with flyball.span("second") as second:
        second.event("retried", attempt=2, waited=[0.5])
        second.link(first.trace_id, first.span_id, why="continues")
        second.link(headers=headers)
        second.link("not an id", "x")

    span = sent(listener)["second"]
    (event,) = span.attributes["flyball.events"]
    assert (event["name"], event["attributes"]) == ("retried", {"attempt": 2, "waited": [0.5]})
    assert span.start_ns - 1_000_000_000 < event["time_ns"] < span.end_ns + 1_000_000_000
    expected = {"trace_id": first.trace_id, "span_id": first.span_id}
    assert span.attributes["flyball.links"] == [
        expected | {"attributes": {"why": "continues"}},
        expected | {"attributes": {}},
    ]


def test_input_output_name_and_error_can_be_said_instead(listener) -> None:
    @flyball.observe(name="stream")
    def stream(secret: str) -> object:
        flyball.current_span().set(
            input="asked", output={"a": 1}, name="renamed", kind="tool", error="half of it failed"
        )
        return object()

    stream("x")

    span = sent(listener)["renamed"]
    assert (span.input, span.output, span.kind) == ("asked", '{"a":1}', "tool")
    assert (span.status, span.error) == ("error", "half of it failed")


def test_what_was_said_is_what_was_true_when_it_was_said(listener) -> None:
    @flyball.observe(name="changing")
    def changing(items: list[int]) -> list[int]:
        flyball.current_span().set(attributes={"items": items})
        items.append(2)
        return items

    result = changing([1])
    result.append(3)

    span = sent(listener)["changing"]
    assert (span.input, span.attributes, span.output) == ('{"items":[1]}', {"items": [1]}, "[1,2]")


def test_nonsense_is_told_once_and_disturbs_nobody(listener, caplog) -> None:
    class Odd:
        @property
        def model_dump(self):
            raise RuntimeError("no")

    with caplog.at_level(logging.WARNING, "flyball"), flyball.span("odd") as span:
        span.set(modle="x")
        span.set(modle="y")
        span.set(usage=Odd())
        span.set(cost_usd="much", tags=7)
        span.event(Odd(), value=Odd())
        span.set(model="small")

    assert sent(listener)["odd"].model_requested == "small"
    assert sum("has no 'modle'" in record.message for record in caplog.records) == 1


def test_after_its_end_and_outside_of_any_span_words_are_lost_without_a_sound(listener) -> None:
    flyball.current_span().set(model="nobody's")
    flyball.current_span().event("nobody's")
    flyball.current_span().link("0" * 32, "1" * 16)
    assert flyball.current_span().trace_id == flyball.current_span().span_id == ""

    with flyball.span("done") as span:
        pass
    span.set(model="late")
    span.event("late")

    assert sent(listener)["done"] == sent(listener)["done"]
    assert (sent(listener)["done"].model_requested, sent(listener)["done"].attributes) == ("", {})


def test_a_span_that_is_no_function_has_input_output_and_error(listener) -> None:
    with flyball.span("rank", kind="tool", input={"k": 2}) as span:
        span.set(output=[1, 2])
    with pytest.raises(ValueError, match="bad"), flyball.span("broken"):
        raise ValueError("bad")

    spans = sent(listener)
    assert (spans["rank"].input, spans["rank"].output, spans["rank"].kind) == ('{"k":2}', "[1,2]", "tool")
    assert (spans["broken"].status, spans["broken"].error) == ("error", "ValueError: bad")


def test_a_stream_says_when_its_first_item_came(listener) -> None:
    @flyball.observe(name="stream")
    def stream():
        yield "a"
        yield "b"

    assert list(stream()) == ["a", "b"]

    span = sent(listener)["stream"]
    assert 0 <= span.first_token_ns <= span.end_ns - span.start_ns


def test_a_large_collection_is_shown_by_its_beginning(listener) -> None:
    @flyball.observe(name="large")
    def large(numbers: list[int]) -> dict[int, int]:
        return dict.fromkeys(numbers, 0)

    large(list(range(50_000)))

    span = sent(listener)["large"]
    assert span.input.startswith('{"numbers":[0,1,2,')
    assert span.input.endswith('999,"… (50,000 items)"]}')
    assert span.output.endswith('"… (50,000 items)"]')


async def test_methods_of_classes_and_objects_that_can_be_called_are_observed_too(listener) -> None:
    class Service:
        @flyball.observe(name="of the class")
        @classmethod
        def build(cls, number: int) -> str:
            return f"{cls.__name__} {number}"

        @flyball.observe(name="static")
        @staticmethod
        def add(one: int, two: int) -> int:
            return one + two

    class Asked:
        async def __call__(self, question: str) -> str:
            return question

    asked = flyball.observe(name="object")(Asked())
    assert (Service.build(1), Service().build(2), Service.add(1, 2), Service().add(1, 2)) == (
        "Service 1",
        "Service 2",
        3,
        3,
    )
    assert await asked("why?") == "why?"
    assert await asyncio.to_thread(flyball.flush)

    spans = {span["name"]: (span["input"], span["output"]) for span in listener.spans}
    assert spans == {
        "of the class": ('{"number":2}', "Service 2"),
        "static": ('{"one":1,"two":2}', "3"),
        "object": ('{"question":"why?"}', "why?"),
    }


def test_service_and_environment_are_the_applications(listener) -> None:
    sdk_telemetry.configure(server=listener.url, key="flyball_test", service="shop", environment="staging")

    with flyball.span("work"):
        pass

    assert (sent(listener)["work"].service, sent(listener)["work"].environment) == ("shop", "staging")


def test_configuring_what_there_is_not_says_what_there_is() -> None:
    with pytest.raises(flyball.kit.errors.InvalidInputError, match=r"knows no 'sampel'.*offline"):
        flyball.configure(sampel=1)
    with pytest.raises(flyball.kit.errors.InvalidInputError, match="sample=2 is no share"):
        flyball.configure(sample=2)
    with pytest.raises(flyball.kit.errors.InvalidInputError, match="mask='x' cannot be called"):
        flyball.configure(mask="x")
    with pytest.raises(flyball.kit.errors.InvalidInputError, match="key is a int"):
        flyball.configure(key=12345)
