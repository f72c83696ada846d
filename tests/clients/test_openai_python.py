"""The official `openai` Python client, Chat Completions, against every provider dialect: both what its user reads of the answer
and what the provider was asked.
"""

import json

import openai
import pytest
import scenes


@pytest.fixture
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key=scenes.KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def ask(client, on):
    """Asks with the scene's tools where wanted; `messages` may be a plain question."""

    def ask(messages, **options):
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        return client.chat.completions.create(model=on.model, messages=messages, **options)

    return ask


TOOLS = [{"type": "function", "function": tool} for tool in scenes.TOOLS]


def result(call, text):
    return {"role": "tool", "tool_call_id": call.id, "content": text}


def test_a_plain_question_with_system_and_developer_words_is_answered(ask, on):
    on.then("plain")

    answer = ask(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "Speak of governors."},
            {"role": "user", "content": "What is it?"},
            {"role": "assistant", "content": "A governor."},
            {"role": "user", "content": "And what does it do?"},
        ],
        max_completion_tokens=50,
    )

    assert answer.choices[0].message.content == scenes.PLAIN
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 9)
    assert on.system == ["Be brief.", "Speak of governors."]
    assert on.seen.words == [("user", "What is it?"), ("assistant", "A governor."), ("user", "And what does it do?")]
    assert on.seen.max_tokens == 50


def test_a_stream_gathers_to_the_same_answer(client, on):
    on.then("plain")

    with client.chat.completions.stream(
        model=on.model, messages=[{"role": "user", "content": "What is it?"}], stream_options={"include_usage": True}
    ) as stream:
        words = [event.delta for event in stream if event.type == "content.delta"]
        whole = stream.get_final_completion()

    assert "".join(words) == scenes.PLAIN
    assert len(words) > 1
    assert whole.choices[0].message.content == scenes.PLAIN
    assert whole.choices[0].finish_reason == "stop"
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (11, 9)
    assert on.seen.stream


def test_usage_is_hidden_in_a_stream_from_who_did_not_ask(ask, on):
    on.then("plain")

    chunks = list(ask("What is it?", stream=True))

    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_answered(client, ask, on, streamed):
    on.then("one_call", "plain")
    history = [{"role": "user", "content": "How is Paris?"}]

    message = gathered(client, on, history, streamed)
    (call,) = message.tool_calls
    history += [message, result(call, "21 degrees")]
    answer = ask(history, tools=TOOLS)

    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    assert answer.choices[0].message.content == scenes.PLAIN
    assert [part[2:] for part in on.seen.parts("call")] == [("weather", {"city": "Paris"})]
    assert [part[2] for part in on.seen.parts("result")] == ["21 degrees"]
    assert on.paired
    assert on.seen.tools["weather"] == scenes.WEATHER["parameters"]


@pytest.mark.parametrize("order", ["as called", "the other way"])
@pytest.mark.parametrize("streamed", [False, True])
def test_two_tools_are_called_at_once_and_answered_in_either_order(client, ask, on, streamed, order):
    on.then("two_calls", "plain")
    history = [{"role": "user", "content": "How are Paris and Oslo?"}]

    message = gathered(client, on, history, streamed)
    first, second = message.tool_calls
    results = [result(first, "21 degrees"), result(second, "4 degrees")]
    ask([*history, message, *(results if order == "as called" else results[::-1])], tools=TOOLS)

    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Paris", "Oslo"]
    assert first.id != second.id
    assert [part[3]["city"] for part in on.seen.parts("call")] == ["Paris", "Oslo"]
    assert on.answered == {"Paris": "21 degrees", "Oslo": "4 degrees"}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_without_arguments_is_an_empty_object(client, ask, on, streamed):
    on.then("bare_call", "plain")
    history = [{"role": "user", "content": "What time is it?"}]

    message = gathered(client, on, history, streamed)
    ask([*history, message, result(message.tool_calls[0], "noon")], tools=TOOLS)

    assert message.tool_calls[0].function.arguments == "{}"
    assert [part[2:] for part in on.seen.parts("call")] == [("now", {})]


def gathered(client, on, history, streamed):
    """The message, as the client makes it of an answer or of a stream."""
    options = {"model": on.model, "messages": history, "tools": TOOLS}
    if not streamed:
        return client.chat.completions.create(**options).choices[0].message
    with client.chat.completions.stream(**options) as stream:
        return stream.get_final_completion().choices[0].message


def test_an_answer_by_a_schema_is_parsed(client, on):
    on.then("structured")

    answer = client.chat.completions.parse(
        model=on.model, messages=[{"role": "user", "content": "How is Paris?"}], response_format=scenes.Weather
    )

    assert answer.choices[0].message.parsed == scenes.Weather(city="Paris", degrees=21)
    assert set(on.seen.schema["properties"]) == {"city", "degrees"}


def test_an_image_is_seen(ask, on):
    on.then("plain")

    ask([{"role": "user", "content": [text("What is this?"), image(f"data:image/png;base64,{scenes.PNG}")]}])

    assert on.seen.parts("image") == [("image", "image/png", scenes.PNG)]
    assert on.seen.words == [("user", "What is this?")]


def test_an_image_by_its_address_is_passed_on_or_refused(ask, on):
    on.then("plain")
    messages = [{"role": "user", "content": [text("What is this?"), image(scenes.IMAGE_URL)]}]

    if on.target == "bedrock":
        with pytest.raises(openai.BadRequestError, match=r"content\[1\]"):
            ask(messages)
    else:
        ask(messages)
        assert on.seen.parts("image") == [("image", "", scenes.IMAGE_URL)]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_recording_is_heard_or_refused_by_name_where_the_dialect_has_no_word_for_it(ask, on, streamed):
    on.then("plain")
    recording = {"type": "input_audio", "input_audio": {"data": scenes.WAV, "format": "wav"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is said?"}, recording]}]

    if on.hears:
        answer = ask(messages, stream=streamed)
        assert list(answer) if streamed else answer.choices[0].message.content == scenes.PLAIN
        assert on.seen.parts("audio") == [("audio", "audio/wav", scenes.WAV)]
        assert on.seen.words == [("user", "What is said?")]
    else:
        with pytest.raises(openai.BadRequestError) as caught:
            ask(messages, stream=streamed)
        assert (caught.value.code, caught.value.param) == ("cannot_carry", "messages[0].content[1]")
        assert on.requests == []


def test_a_document_is_read(ask, on):
    on.then("plain")
    file = {"filename": "paper.pdf", "file_data": f"data:application/pdf;base64,{scenes.PDF}"}

    ask([{"role": "user", "content": [text("What does it say?"), {"type": "file", "file": file}]}])

    assert on.seen.parts("document") == [("document", "application/pdf", scenes.PDF)]


def text(words):
    return {"type": "text", "text": words}


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_thought_goes_back_to_who_thought_it_turn_after_turn(client, ask, on, streamed):
    on.then("thought_and_call", "second_thought", "plain")
    history = [{"role": "user", "content": "How is Paris?"}]

    message = gathered(client, on, history, streamed)
    history += [message, result(message.tool_calls[0], "21 degrees")]
    history += [gathered(client, on, history, streamed)]
    second_request = on.seen
    history += [{"role": "user", "content": "And tomorrow?"}]
    ask(history, tools=TOOLS)

    assert message.reasoning_content == scenes.THOUGHT
    assert second_request.place("thought") < second_request.place("call")
    assert on.own_signatures(second_request) == on.signed(scenes.SIGNATURE)
    assert on.own_signatures(on.seen) == on.signed(scenes.SIGNATURE, scenes.SECOND_SIGNATURE)


def test_a_redacted_thought_goes_back(ask, on):
    if not on.redacts:
        pytest.skip(f"{on.target} has no redacted thoughts")
    on.then("redacted", "plain")
    history = [{"role": "user", "content": "Think."}]

    message = ask(history).choices[0].message
    ask([*history, message, {"role": "user", "content": "Go on."}])

    assert message.content == scenes.PLAIN
    assert on.seen.parts("redacted") == [("redacted", scenes.REDACTED)]


def test_a_refusal_says_so(ask, on):
    on.then("refusal")

    choice = ask("Do harm.").choices[0]

    assert choice.message.refusal or choice.finish_reason == "content_filter"


@pytest.mark.parametrize(("scene", "reason"), [("too_long", "length"), ("stopped", "stop")])
def test_the_client_learns_why_an_answer_ended(ask, on, scene, reason):
    on.then(scene)

    answer = ask("Say more.", stop=["END"] if on.stops else None)

    assert answer.choices[0].finish_reason == reason
    assert on.seen.stop == (["END"] if on.stops else [])


def test_usage_adds_up_to_the_bill(ask, on):
    on.then("cached")

    usage = ask("Again.").usage

    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (100, 20, 120)
    assert usage.prompt_tokens_details.cached_tokens == 60


def test_what_was_dropped_is_named(client, on):
    on.then("plain")

    raw = client.chat.completions.with_raw_response.create(
        model=on.model, messages=[{"role": "user", "content": "What is it?"}], seed=7, logit_bias={"50256": -100}
    )

    assert raw.parse().choices[0].message.content == scenes.PLAIN
    assert raw.headers.get("x-flyball-dropped", "") == on.drops("openai_chat", seed="seed", bias="logit_bias")


class TestErrors:
    def test_a_wrong_key_is_refused(self, address, on):
        with (
            openai.OpenAI(base_url=f"{address}/v1", api_key="fb_wrong", max_retries=0) as client,
            pytest.raises(openai.AuthenticationError),
        ):
            client.chat.completions.create(model=on.model, messages=[{"role": "user", "content": "x"}])

        assert on.requests == []

    def test_an_unknown_model_is_not_found(self, client):
        with pytest.raises(openai.NotFoundError, match="nosuch"):
            client.chat.completions.create(model="nosuch", messages=[{"role": "user", "content": "x"}])

    def test_a_busy_upstream_says_when_to_come_back(self, ask, on):
        on.then("busy")

        with pytest.raises(openai.RateLimitError) as caught:
            ask("What is it?")

        assert caught.value.response.headers["retry-after"] == "7"

    def test_two_answers_at_once_are_refused_where_there_is_but_one(self, ask, on):
        on.then("plain")

        if on.target in ("chat", "gemini"):
            ask("What is it?", n=2)
        else:
            with pytest.raises(openai.BadRequestError) as caught:
                ask("What is it?", n=2)
            assert caught.value.param == "n"
            assert on.requests == []

    @pytest.mark.parametrize("scene", ["error_midway", "unfinished", "cut", "malformed"])
    def test_a_stream_that_breaks_raises(self, ask, on, scene):
        on.then(scene)

        with pytest.raises(openai.APIError):
            list(ask("What is it?", stream=True))

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_page_instead_of_an_answer_raises(self, ask, on, streamed):
        on.then(*["html"] * 3)

        with pytest.raises(openai.InternalServerError, match=on.upstream):
            ask("What is it?", stream=streamed)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_function_answers_like_a_model(client, streamed, runner):
    options = {"model": "triage", "messages": [{"role": "user", "content": "What day is it?"}]}

    if streamed:
        with client.chat.completions.stream(**options) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(**options)

    assert answer.choices[0].message.content == scenes.FUNCTION_ANSWER
    assert runner.given["question"] == "What day is it?"
