"""The official `openai` Python client, Responses, against every provider dialect: both what its user reads of the answer and what
the provider was asked.
"""

import json

import openai
import pytest
import scenes

TOOLS = [{"type": "function", "strict": False, **tool} for tool in scenes.TOOLS]


@pytest.fixture
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key=scenes.KEY, max_retries=0) as client:
        yield client


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def ask(client, on, request):
    """Asks, and gives the response as the client makes it of an answer or of a stream. Nothing is kept at the provider."""

    def ask(asked, **options):
        options = {
            "model": on.model,
            "input": asked,
            "store": False,
            "include": ["reasoning.encrypted_content"],
        } | options
        if not request.param:
            return client.responses.create(**options)
        with client.responses.stream(**options) as stream:
            *_, last = stream  # the client's own `get_final_response` knows no answer that is cut short
            assert last.type in ("response.completed", "response.incomplete")
            return last.response

    return ask


def calls_in(response):
    return [item for item in response.output if item.type == "function_call"]


def result(call, text):
    return {"type": "function_call_output", "call_id": call.call_id, "output": text}


def test_a_plain_question_with_instructions_is_answered(ask, on):
    on.then("plain")

    response = ask(
        [
            {"role": "developer", "content": "Speak of governors."},
            {"role": "user", "content": "What is it?"},
            {"role": "assistant", "content": "A governor."},
            {"role": "user", "content": "And what does it do?"},
        ],
        instructions="Be brief.",
        max_output_tokens=50,
    )

    assert response.output_text == scenes.PLAIN
    assert response.status == "completed"
    assert (response.usage.input_tokens, response.usage.output_tokens) == (11, 9)
    assert on.system == ["Be brief.", "Speak of governors."]
    assert on.seen.words == [("user", "What is it?"), ("assistant", "A governor."), ("user", "And what does it do?")]
    assert on.seen.max_tokens == 50


def test_a_question_may_be_one_string(ask, on):
    on.then("plain")

    assert ask("What is it?").output_text == scenes.PLAIN

    assert on.seen.words == [("user", "What is it?")]


def test_a_stream_tells_each_word_as_it_comes(client, on):
    on.then("plain")

    with client.responses.stream(model=on.model, input="What is it?") as stream:
        events = list(stream)

    words = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(words) == scenes.PLAIN
    assert len(words) > 1
    assert [event.sequence_number for event in events] == sorted({event.sequence_number for event in events})
    assert events[-1].type == "response.completed"
    assert on.seen.stream


def test_a_tool_is_called_and_its_result_answered(ask, on):
    on.then("one_call", "plain")
    history = [{"role": "user", "content": "How is Paris?"}]

    response = ask(history, tools=TOOLS)
    (call,) = calls_in(response)
    history += [*response.output, result(call, "21 degrees")]
    answer = ask(history, tools=TOOLS)

    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"})
    assert answer.output_text == scenes.PLAIN
    assert [part[2:] for part in on.seen.parts("call")] == [("weather", {"city": "Paris"})]
    assert [part[2] for part in on.seen.parts("result")] == ["21 degrees"]
    assert on.paired
    assert on.seen.tools["weather"] == scenes.WEATHER["parameters"]


@pytest.mark.parametrize("order", ["as called", "the other way"])
def test_two_tools_are_called_at_once_and_answered_in_either_order(ask, on, order):
    on.then("two_calls", "plain")
    history = [{"role": "user", "content": "How are Paris and Oslo?"}]

    response = ask(history, tools=TOOLS)
    first, second = calls_in(response)
    results = [result(first, "21 degrees"), result(second, "4 degrees")]
    ask([*history, *response.output, *(results if order == "as called" else results[::-1])], tools=TOOLS)

    assert [json.loads(call.arguments)["city"] for call in (first, second)] == ["Paris", "Oslo"]
    assert first.call_id != second.call_id
    assert [part[3]["city"] for part in on.seen.parts("call")] == ["Paris", "Oslo"]
    assert on.answered == {"Paris": "21 degrees", "Oslo": "4 degrees"}


def test_a_call_without_arguments_is_an_empty_object(ask, on):
    on.then("bare_call", "plain")
    history = [{"role": "user", "content": "What time is it?"}]

    response = ask(history, tools=TOOLS)
    (call,) = calls_in(response)
    ask([*history, *response.output, result(call, "noon")], tools=TOOLS)

    assert call.arguments == "{}"
    assert [part[2:] for part in on.seen.parts("call")] == [("now", {})]


def test_an_answer_by_a_schema_is_parsed(client, on):
    on.then("structured")

    response = client.responses.parse(model=on.model, input="How is Paris?", text_format=scenes.Weather)

    assert response.output_parsed == scenes.Weather(city="Paris", degrees=21)
    assert set(on.seen.schema["properties"]) == {"city", "degrees"}


def test_an_image_is_seen(ask, on):
    on.then("plain")

    ask([{"role": "user", "content": [text("What is this?"), image(f"data:image/png;base64,{scenes.PNG}")]}])

    assert on.seen.parts("image") == [("image", "image/png", scenes.PNG)]
    assert on.seen.words == [("user", "What is this?")]


def test_an_image_by_its_address_is_passed_on_or_refused(ask, on):
    on.then("plain")
    asked = [{"role": "user", "content": [text("What is this?"), image(scenes.IMAGE_URL)]}]

    if on.target == "bedrock":
        with pytest.raises(openai.BadRequestError, match=r"content\[1\]"):
            ask(asked)
    else:
        ask(asked)
        assert on.seen.parts("image") == [("image", "", scenes.IMAGE_URL)]


def test_a_document_is_read(ask, on):
    on.then("plain")
    file = {"type": "input_file", "filename": "paper.pdf", "file_data": f"data:application/pdf;base64,{scenes.PDF}"}

    ask([{"role": "user", "content": [text("What does it say?"), file]}])

    assert on.seen.parts("document") == [("document", "application/pdf", scenes.PDF)]


def text(words):
    return {"type": "input_text", "text": words}


def image(url):
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def test_a_thought_goes_back_to_who_thought_it_turn_after_turn(ask, on):
    on.then("thought_and_call", "second_thought", "plain")
    history = [{"role": "user", "content": "How is Paris?"}]

    first = ask(history, tools=TOOLS)
    history += [*first.output, result(calls_in(first)[0], "21 degrees")]
    second = ask(history, tools=TOOLS)
    second_request = on.seen
    history += [*second.output, {"role": "user", "content": "And tomorrow?"}]
    ask(history, tools=TOOLS)

    thoughts = [piece.text for item in first.output if item.type == "reasoning" for piece in item.summary]
    assert thoughts == [scenes.THOUGHT]
    assert second_request.place("thought") < second_request.place("call")
    assert on.own_signatures(second_request) == on.signed(scenes.SIGNATURE)
    assert on.own_signatures(on.seen) == on.signed(scenes.SIGNATURE, scenes.SECOND_SIGNATURE)


def test_a_redacted_thought_goes_back(ask, on):
    if not on.redacts:
        pytest.skip(f"{on.target} has no redacted thoughts")
    on.then("redacted", "plain")
    history = [{"role": "user", "content": "Think."}]

    response = ask(history)
    ask([*history, *response.output, {"role": "user", "content": "Go on."}])

    assert response.output_text == scenes.PLAIN
    assert on.seen.parts("redacted") == [("redacted", scenes.REDACTED)]


def test_a_refusal_says_so(ask, on):
    on.then("refusal")

    response = ask("Do harm.")

    refusals = [
        part for item in response.output if item.type == "message" for part in item.content if part.type == "refusal"
    ]
    assert refusals or response.incomplete_details.reason == "content_filter"


def test_an_answer_that_is_cut_short_is_incomplete(ask, on):
    on.then("too_long")

    response = ask("Say more.")

    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"


def test_usage_adds_up_to_the_bill(ask, on):
    on.then("cached")

    usage = ask("Again.").usage

    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
    assert usage.input_tokens_details.cached_tokens == 60


def test_what_was_dropped_is_named(client, on):
    on.then("plain")

    raw = client.responses.with_raw_response.create(
        model=on.model, input="What is it?", truncation="auto", safety_identifier="someone"
    )

    assert raw.parse().output_text == scenes.PLAIN
    dropped = raw.headers.get("x-flyball-dropped", "")
    assert ("truncation" in dropped) == (on.target != "responses")


class TestErrors:
    def test_a_wrong_key_is_refused(self, address, on):
        with (
            openai.OpenAI(base_url=f"{address}/v1", api_key="fb_wrong", max_retries=0) as client,
            pytest.raises(openai.AuthenticationError),
        ):
            client.responses.create(model=on.model, input="x")

        assert on.requests == []

    def test_an_unknown_model_is_not_found(self, client):
        with pytest.raises(openai.NotFoundError, match="nosuch"):
            client.responses.create(model="nosuch", input="x")

    def test_a_busy_upstream_says_when_to_come_back(self, ask, on):
        on.then("busy")

        with pytest.raises(openai.RateLimitError) as caught:
            ask("What is it?")

        assert caught.value.response.headers["retry-after"] == "7"

    def test_a_conversation_that_is_kept_elsewhere_is_refused(self, ask, on):
        on.then("plain")

        if on.target == "responses":
            ask("Go on.", previous_response_id="resp_1")
        else:
            with pytest.raises(openai.BadRequestError) as caught:
                ask("Go on.", previous_response_id="resp_1")
            assert caught.value.param == "previous_response_id"
            assert on.requests == []

    @pytest.mark.parametrize("scene", ["error_midway", "unfinished", "cut", "malformed"])
    def test_a_stream_that_breaks_raises(self, client, on, scene):
        on.then(scene)

        with pytest.raises(openai.APIError):
            list(client.responses.create(model=on.model, input="What is it?", stream=True))

    def test_a_page_instead_of_an_answer_raises(self, ask, on):
        on.then(*["html"] * 3)

        with pytest.raises(openai.InternalServerError, match=on.upstream):
            ask("What is it?")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_function_answers_like_a_model(client, streamed, runner):
    options = {"model": "triage", "input": "What day is it?"}

    if streamed:
        with client.responses.stream(**options) as stream:
            response = stream.get_final_response()
    else:
        response = client.responses.create(**options)

    assert response.output_text == scenes.FUNCTION_ANSWER
    assert runner.given["question"] == "What day is it?"
