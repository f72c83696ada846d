"""The official `anthropic` Python client against every provider dialect: both what its user reads of the answer and what the
provider was asked.
"""

import anthropic
import pytest
import scenes

TOOLS = [
    {"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"]}
    for tool in scenes.TOOLS
]


@pytest.fixture
def client(address):
    with anthropic.Anthropic(base_url=address, api_key=scenes.KEY, max_retries=0) as client:
        yield client


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def ask(client, on, request):
    """Asks, and gives the message as the client makes it of an answer or of a stream."""

    def ask(messages, **options):
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        options = {"model": on.model, "messages": messages, "max_tokens": 2000} | options
        if not request.param:
            return client.messages.create(**options)
        with client.messages.stream(**options) as stream:
            return stream.get_final_message()

    return ask


def calls_in(message):
    return [block for block in message.content if block.type == "tool_use"]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def result(call, text):
    return {"type": "tool_result", "tool_use_id": call.id, "content": text}


def said(message):
    return {"role": "assistant", "content": message.content}


def told(*content):
    return {"role": "user", "content": list(content)}


def text(words):
    return {"type": "text", "text": words}


def test_a_plain_question_with_system_words_is_answered(ask, on):
    on.then("plain")

    message = ask(
        [
            {"role": "user", "content": "What is it?"},
            {"role": "assistant", "content": "A governor."},
            {"role": "user", "content": [text("And what"), text("does it do?")]},
        ],
        system=[text("Be brief."), text("Speak of governors.")],
        max_tokens=50,
    )

    assert text_of(message) == scenes.PLAIN
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 9)
    assert on.system == ["Be brief.", "Speak of governors."]
    assert on.seen.words == [
        ("user", "What is it?"),
        ("assistant", "A governor."),
        ("user", "And what"),
        ("user", "does it do?"),
    ]
    assert on.seen.max_tokens == 50


def test_a_stream_tells_each_word_as_it_comes(client, on):
    on.then("plain")

    with client.messages.stream(
        model=on.model, messages=[{"role": "user", "content": "What is it?"}], max_tokens=50
    ) as stream:
        words = list(stream.text_stream)
        message = stream.get_final_message()

    assert "".join(words) == scenes.PLAIN
    assert len(words) > 1
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 9)
    assert on.seen.stream


def test_a_tool_is_called_and_its_result_answered(ask, on):
    on.then("one_call", "plain")
    history = [told(text("How is Paris?"))]

    message = ask(history, tools=TOOLS)
    (call,) = calls_in(message)
    answer = ask([*history, said(message), told(result(call, "21 degrees"))], tools=TOOLS)

    assert message.stop_reason == "tool_use"
    assert (call.name, call.input) == ("weather", {"city": "Paris"})
    assert text_of(answer) == scenes.PLAIN
    assert [part[2:] for part in on.seen.parts("call")] == [("weather", {"city": "Paris"})]
    assert [part[2] for part in on.seen.parts("result")] == ["21 degrees"]
    assert on.paired
    assert on.seen.tools["weather"] == scenes.WEATHER["parameters"]


@pytest.mark.parametrize("order", ["as called", "the other way"])
def test_two_tools_are_called_at_once_and_answered_in_either_order(ask, on, order):
    on.then("two_calls", "plain")
    history = [told(text("How are Paris and Oslo?"))]

    message = ask(history, tools=TOOLS)
    first, second = calls_in(message)
    results = [result(first, "21 degrees"), result(second, "4 degrees")]
    ask(
        [*history, said(message), told(*(results if order == "as called" else results[::-1]), text("And?"))],
        tools=TOOLS,
    )

    assert [call.input["city"] for call in (first, second)] == ["Paris", "Oslo"]
    assert first.id != second.id
    assert [part[3]["city"] for part in on.seen.parts("call")] == ["Paris", "Oslo"]
    assert on.answered == {"Paris": "21 degrees", "Oslo": "4 degrees"}
    assert on.seen.words[-1] == ("user", "And?")


def test_a_call_without_arguments_is_an_empty_object(ask, on):
    on.then("bare_call", "plain")
    history = [told(text("What time is it?"))]

    message = ask(history, tools=TOOLS)
    (call,) = calls_in(message)
    ask([*history, said(message), told(result(call, "noon"))], tools=TOOLS)

    assert call.input == {}
    assert [part[2:] for part in on.seen.parts("call")] == [("now", {})]


def test_an_answer_by_a_schema_is_parsed(client, on):
    on.then("structured")

    message = client.messages.parse(
        model=on.model, messages=[told(text("How is Paris?"))], max_tokens=50, output_format=scenes.Weather
    )

    assert message.parsed_output == scenes.Weather(city="Paris", degrees=21)
    assert set(on.seen.schema["properties"]) == {"city", "degrees"}


def test_an_image_is_seen(ask, on):
    on.then("plain")
    source = {"type": "base64", "media_type": "image/png", "data": scenes.PNG}

    ask([told({"type": "image", "source": source}, text("What is this?"))])

    assert on.seen.parts("image") == [("image", "image/png", scenes.PNG)]
    assert on.seen.words == [("user", "What is this?")]


def test_an_image_by_its_address_is_passed_on_or_refused(ask, on):
    on.then("plain")
    messages = [told({"type": "image", "source": {"type": "url", "url": scenes.IMAGE_URL}}, text("What is this?"))]

    if on.target == "bedrock":
        with pytest.raises(anthropic.BadRequestError, match=r"content\[0\]"):
            ask(messages)
    else:
        ask(messages)
        assert on.seen.parts("image") == [("image", "", scenes.IMAGE_URL)]


def test_a_document_is_read(ask, on):
    on.then("plain")
    source = {"type": "base64", "media_type": "application/pdf", "data": scenes.PDF}

    ask([told({"type": "document", "source": source, "title": "paper.pdf"}, text("What does it say?"))])

    assert on.seen.parts("document") == [("document", "application/pdf", scenes.PDF)]


def test_a_thought_goes_back_to_who_thought_it_turn_after_turn(ask, on):
    on.then("thought_and_call", "second_thought", "plain")
    history = [told(text("How is Paris?"))]
    options = {"tools": TOOLS, "thinking": {"type": "enabled", "budget_tokens": 1024}}

    first = ask(history, **options)
    history += [said(first), told(result(calls_in(first)[0], "21 degrees"))]
    second = ask(history, **options)
    second_request = on.seen
    history += [said(second), told(text("And tomorrow?"))]
    ask(history, **options)

    assert next(block.thinking for block in first.content if block.type == "thinking") == scenes.THOUGHT
    assert second_request.place("thought") < second_request.place("call")
    assert on.own_signatures(second_request) == on.signed(scenes.SIGNATURE)
    assert on.own_signatures(on.seen) == on.signed(scenes.SIGNATURE, scenes.SECOND_SIGNATURE)


def test_a_redacted_thought_goes_back(ask, on):
    if not on.redacts:
        pytest.skip(f"{on.target} has no redacted thoughts")
    on.then("redacted", "plain")
    history = [told(text("Think."))]

    message = ask(history)
    ask([*history, said(message), told(text("Go on."))])

    assert text_of(message) == scenes.PLAIN
    assert on.seen.parts("redacted") == [("redacted", scenes.REDACTED)]


def test_a_refusal_says_so(ask, on):
    on.then("refusal")

    assert ask("Do harm.").stop_reason == "refusal"


def test_an_answer_that_is_cut_short_says_so(ask, on):
    on.then("too_long")

    assert ask("Say more.").stop_reason == "max_tokens"


def test_a_stop_sequence_ends_an_answer(ask, on):
    if not on.stops:
        pytest.skip("Responses has no stop sequences")
    on.then("stopped")

    message = ask("Say more.", stop_sequences=["END"])

    assert on.seen.stop == ["END"]
    if on.names_the_stop:
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    else:
        assert message.stop_reason == "end_turn"


def test_usage_adds_up_to_the_bill(ask, on):
    on.then("cached")

    usage = ask("Again.").usage

    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (40, 60, 20)


def test_what_was_dropped_is_named(client, on):
    on.then("plain")

    raw = client.messages.with_raw_response.create(
        model=on.model,
        messages=[{"role": "user", "content": "What is it?"}],
        max_tokens=50,
        extra_body={"top_k": 5},
        metadata={"user_id": "someone"},
    )

    assert text_of(raw.parse()) == scenes.PLAIN
    dropped = [name for name in raw.headers.get("x-flyball-dropped", "").split(", ") if name]
    assert ("top_k" in dropped) == (on.target in ("chat", "responses"))
    assert ("metadata.user_id" in dropped) == (on.target in ("gemini", "bedrock"))


def test_tokens_are_counted_before_they_are_spent(client, on):
    counted = client.messages.count_tokens(
        model=on.model, messages=[{"role": "user", "content": "What is it?"}], system="Be brief.", tools=TOOLS
    )

    assert counted.input_tokens > 0


class TestErrors:
    def test_a_wrong_key_is_refused(self, address, on):
        with (
            anthropic.Anthropic(base_url=address, api_key="fb_wrong", max_retries=0) as client,
            pytest.raises(anthropic.AuthenticationError),
        ):
            client.messages.create(model=on.model, messages=[{"role": "user", "content": "x"}], max_tokens=9)

        assert on.requests == []

    def test_an_unknown_model_is_not_found(self, client):
        with pytest.raises(anthropic.NotFoundError, match="nosuch"):
            client.messages.create(model="nosuch", messages=[{"role": "user", "content": "x"}], max_tokens=9)

    def test_a_busy_upstream_says_when_to_come_back(self, ask, on):
        on.then("busy")

        with pytest.raises(anthropic.RateLimitError) as caught:
            ask("What is it?")

        assert caught.value.response.headers["retry-after"] == "7"

    def test_a_tool_that_only_its_vendor_runs_is_refused_elsewhere(self, ask, on):
        on.then("plain")
        search = {"type": "web_search_20250305", "name": "web_search"}

        if on.target == "anthropic":
            ask("What is it?", tools=[search])
        else:
            with pytest.raises(anthropic.BadRequestError, match=r"tools\[0\]"):
                ask("What is it?", tools=[search])
            assert on.requests == []

    @pytest.mark.parametrize("scene", ["error_midway", "unfinished", "cut", "malformed"])
    def test_a_stream_that_breaks_raises(self, client, on, scene):
        on.then(scene)

        with pytest.raises(anthropic.APIError):
            list(
                client.messages.create(
                    model=on.model, messages=[{"role": "user", "content": "x"}], max_tokens=9, stream=True
                )
            )

    def test_a_page_instead_of_an_answer_raises(self, ask, on):
        on.then(*["html"] * 3)

        with pytest.raises(anthropic.InternalServerError, match=on.upstream):
            ask("What is it?")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_function_answers_like_a_model(client, streamed, runner):
    options = {"model": "triage", "messages": [{"role": "user", "content": "What day is it?"}], "max_tokens": 50}

    if streamed:
        with client.messages.stream(**options) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**options)

    assert text_of(message) == scenes.FUNCTION_ANSWER
    assert runner.given["question"] == "What day is it?"
