"""The official `google-genai` Python client against every provider dialect: both what its user reads of the answer and what the
provider was asked.
"""

import base64
from itertools import chain

import pytest
import scenes
from google import genai
from google.genai import errors, types

DECLARED = [
    types.FunctionDeclaration(
        name=tool["name"], description=tool["description"], parameters_json_schema=tool["parameters"]
    )
    for tool in scenes.TOOLS
]
TOOLS = [types.Tool(function_declarations=DECLARED)]
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.fixture
def client(address):
    client = genai.Client(api_key=scenes.KEY, http_options=types.HttpOptions(base_url=address))
    yield client
    client.close()


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def ask(client, on, request):
    """Asks. Of a stream: its chunks as one answer, in the way of the client's own chats."""

    def ask(contents, **config):
        config = types.GenerateContentConfig(automatic_function_calling=BY_HAND, **config)
        options = {"model": on.model, "contents": contents, "config": config}
        if not request.param:
            return client.models.generate_content(**options)
        return gathered(list(client.models.generate_content_stream(**options)))

    return ask


def gathered(chunks):
    """The last chunk, with the parts of all."""
    parts = [
        chunk.candidates[0].content.parts or [] for chunk in chunks if chunk.candidates and chunk.candidates[0].content
    ]
    last = chunks[-1].model_copy(deep=True)
    last.candidates[0].content = types.Content(role="model", parts=list(chain(*parts)))
    return last


def said(response):
    """What the docs append to the history."""
    return response.candidates[0].content


def told(*parts):
    return types.Content(role="user", parts=list(parts))


def text(words):
    return types.Part.from_text(text=words)


def result(call, words):
    """As the docs word it: by the function's name, without the call's id."""
    return types.Part.from_function_response(name=call.name, response={"result": words})


def test_a_plain_question_with_a_system_instruction_is_answered(ask, on):
    on.then("plain")

    response = ask(
        [
            told(text("What is it?")),
            types.Content(role="model", parts=[text("A governor.")]),
            told(text("And what does it do?")),
        ],
        system_instruction=["Be brief.", "Speak of governors."],
        max_output_tokens=50,
    )

    assert response.text == scenes.PLAIN
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    usage = response.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (11, 9)
    assert on.system == ["Be brief.", "Speak of governors."]
    assert on.seen.words == [("user", "What is it?"), ("assistant", "A governor."), ("user", "And what does it do?")]
    assert on.seen.max_tokens == 50


def test_a_stream_tells_each_word_as_it_comes(client, on):
    on.then("plain")

    chunks = list(client.models.generate_content_stream(model=on.model, contents="What is it?"))

    assert "".join(chunk.text or "" for chunk in chunks) == scenes.PLAIN
    assert len(chunks) > 1
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count == 9
    assert on.seen.stream


def test_a_tool_is_called_and_its_result_answered(ask, on):
    on.then("one_call", "plain")
    history = [told(text("How is Paris?"))]

    response = ask(history, tools=TOOLS)
    (call,) = response.function_calls
    answer = ask([*history, said(response), told(result(call, "21 degrees"))], tools=TOOLS)

    assert (call.name, call.args) == ("weather", {"city": "Paris"})
    assert answer.text == scenes.PLAIN
    assert [part[2:] for part in on.seen.parts("call")] == [("weather", {"city": "Paris"})]
    assert [part[2] for part in on.seen.parts("result")] in (["21 degrees"], ['{"result": "21 degrees"}'])
    assert on.paired
    assert on.seen.tools["weather"] == scenes.WEATHER["parameters"]


def test_two_tools_are_called_at_once_and_answered_by_name(ask, on):
    on.then("two_calls", "plain")
    history = [told(text("How are Paris and Oslo?"))]

    response = ask(history, tools=TOOLS)
    first, second = response.function_calls
    ask([*history, said(response), told(result(first, "21 degrees"), result(second, "4 degrees"))], tools=TOOLS)

    assert [call.args["city"] for call in (first, second)] == ["Paris", "Oslo"]
    assert [part[3]["city"] for part in on.seen.parts("call")] == ["Paris", "Oslo"]
    assert on.plainly_answered == {"Paris": "21 degrees", "Oslo": "4 degrees"}


def test_results_with_ids_may_come_the_other_way(ask, on):
    on.then("two_calls", "plain")
    history = [told(text("How are Paris and Oslo?"))]

    response = ask(history, tools=TOOLS)
    first, second = response.function_calls
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": words}))
        for call, words in ((second, "4 degrees"), (first, "21 degrees"))
    ]
    ask([*history, said(response), told(*results)], tools=TOOLS)

    assert first.id != second.id
    assert on.plainly_answered == {"Paris": "21 degrees", "Oslo": "4 degrees"}


def test_the_client_calls_a_python_function_by_itself(client, on):
    on.then("one_call", "plain")
    asked = []

    def weather(city: str) -> str:
        """How the weather is in a city.

        Args:
            city: where.
        """
        asked.append(city)
        return "21 degrees"

    response = client.models.generate_content(
        model=on.model, contents="How is Paris?", config=types.GenerateContentConfig(tools=[weather])
    )

    assert response.text == scenes.PLAIN
    assert asked == ["Paris"]
    assert on.paired
    assert on.seen.tools["weather"]["properties"]["city"]["type"].lower() == "string"


def test_a_call_without_arguments_is_an_empty_object(ask, on):
    on.then("bare_call", "plain")
    history = [told(text("What time is it?"))]

    response = ask(history, tools=TOOLS)
    (call,) = response.function_calls
    ask([*history, said(response), told(result(call, "noon"))], tools=TOOLS)

    assert call.args == {}
    assert [(part[2], part[3] or {}) for part in on.seen.parts("call")] == [("now", {})]


def test_an_answer_by_a_schema_is_parsed(ask, client, on):
    on.then("structured")

    response = client.models.generate_content(
        model=on.model,
        contents="How is Paris?",
        config={"response_mime_type": "application/json", "response_schema": scenes.Weather},
    )

    assert response.parsed == scenes.Weather(city="Paris", degrees=21)
    assert set(on.seen.schema["properties"]) == {"city", "degrees"}
    assert on.target == "gemini" or on.seen.schema["type"] == "object"


def test_an_image_is_seen(ask, on):
    on.then("plain")

    ask([told(text("What is this?"), types.Part.from_bytes(data=base64.b64decode(scenes.PNG), mime_type="image/png"))])

    assert on.seen.parts("image") == [("image", "image/png", scenes.PNG)]
    assert on.seen.words == [("user", "What is this?")]


def test_an_image_by_its_address_is_passed_on_or_refused(ask, on):
    on.then("plain")
    contents = [told(text("What is this?"), types.Part.from_uri(file_uri=scenes.IMAGE_URL, mime_type="image/png"))]

    if on.target == "bedrock":
        with pytest.raises(errors.ClientError, match=r"contents\[0\]"):
            ask(contents)
    else:
        ask(contents)
        assert on.seen.parts("image") == [("image", "", scenes.IMAGE_URL)]


def test_a_document_is_read(ask, on):
    on.then("plain")
    paper = types.Part.from_bytes(data=base64.b64decode(scenes.PDF), mime_type="application/pdf")

    ask([told(text("What does it say?"), paper)])

    assert on.seen.parts("document") == [("document", "application/pdf", scenes.PDF)]


def test_a_recording_is_heard_or_refused_by_name_where_the_dialect_has_no_word_for_it(ask, on):
    on.then("plain")
    recording = types.Part.from_bytes(data=base64.b64decode(scenes.WAV), mime_type="audio/wav")
    contents = [told(text("What is said?"), recording)]

    if on.hears:
        assert ask(contents).text == scenes.PLAIN
        assert on.seen.parts("audio") == [("audio", "audio/wav", scenes.WAV)]
        assert on.seen.words == [("user", "What is said?")]
    else:
        with pytest.raises(errors.ClientError, match=r"contents\[0\]\.parts\[1\]") as caught:
            ask(contents)
        assert caught.value.code == 400
        assert on.requests == []


def test_a_thought_goes_back_to_who_thought_it_turn_after_turn(ask, on):
    on.then("thought_and_call", "second_thought", "plain")
    history = [told(text("How is Paris?"))]
    options = {"tools": TOOLS, "thinking_config": types.ThinkingConfig(include_thoughts=True)}

    first = ask(history, **options)
    history += [said(first), told(result(first.function_calls[0], "21 degrees"))]
    second = ask(history, **options)
    second_request = on.seen
    history += [said(second), told(text("And tomorrow?"))]
    ask(history, **options)

    assert "".join(part.text or "" for part in said(first).parts if part.thought) == scenes.THOUGHT
    assert second_request.place("thought") < second_request.place("call")
    assert on.own_signatures(second_request) == on.signed(scenes.SIGNATURE)
    assert on.own_signatures(on.seen) == on.signed(scenes.SIGNATURE, scenes.SECOND_SIGNATURE)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_of_the_clients_own_keeps_thoughts(client, on, streamed):
    on.then("thought_and_call", "second_thought", "plain")
    chat = client.chats.create(
        model=on.model, config=types.GenerateContentConfig(tools=TOOLS, automatic_function_calling=BY_HAND)
    )

    def send(message):
        if not streamed:
            return chat.send_message(message)
        return gathered(list(chat.send_message_stream(message)))

    first = send("How is Paris?")
    send(result(first.function_calls[0], "21 degrees"))
    send("And tomorrow?")

    assert on.own_signatures(on.seen) == on.signed(scenes.SIGNATURE, scenes.SECOND_SIGNATURE)


def test_a_redacted_thought_goes_back(ask, on):
    if not on.redacts:
        pytest.skip(f"{on.target} has no redacted thoughts")
    on.then("redacted", "plain")
    history = [told(text("Think."))]

    response = ask(history)
    ask([*history, said(response), told(text("Go on."))])

    assert response.text == scenes.PLAIN
    assert on.seen.parts("redacted") == [("redacted", scenes.REDACTED)]


def test_a_refusal_says_so(ask, on):
    on.then("refusal")

    response = ask("Do harm.")

    assert response.candidates[0].finish_reason in (
        types.FinishReason.SAFETY,
        types.FinishReason.PROHIBITED_CONTENT,
    )


def test_an_answer_that_is_cut_short_says_so(ask, on):
    on.then("too_long")

    assert ask("Say more.").candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_a_stop_sequence_ends_an_answer(ask, on):
    if not on.stops:
        pytest.skip("Responses has no stop sequences")
    on.then("stopped")

    response = ask("Say more.", stop_sequences=["END"])

    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert on.seen.stop == ["END"]


def test_usage_adds_up_to_the_bill(ask, on):
    on.then("cached")

    usage = ask("Again.").usage_metadata

    assert (usage.prompt_token_count, usage.cached_content_token_count) == (100, 60)
    assert usage.candidates_token_count + (usage.thoughts_token_count or 0) == 20
    assert usage.total_token_count == 120


def test_what_was_dropped_is_named(client, on):
    on.then("plain")

    response = client.models.generate_content(
        model=on.model, contents="What is it?", config=types.GenerateContentConfig(seed=7, top_k=5)
    )

    assert response.text == scenes.PLAIN
    dropped = response.sdk_http_response.headers.get("x-flyball-dropped", "")
    assert ("generationConfig.seed" in dropped) == (on.target in ("responses", "anthropic", "bedrock"))
    assert ("generationConfig.topK" in dropped) == (on.target in ("chat", "responses"))


def test_tokens_are_counted_before_they_are_spent(client, on):
    assert client.models.count_tokens(model=on.model, contents="What is it?").total_tokens > 0


class TestErrors:
    def test_a_wrong_key_is_refused(self, address, on):
        with genai.Client(api_key="fb_wrong", http_options=types.HttpOptions(base_url=address)) as client:
            with pytest.raises(errors.ClientError) as caught:
                client.models.generate_content(model=on.model, contents="x")

            assert caught.value.code == 401
            assert on.requests == []

    def test_an_unknown_model_is_not_found(self, client):
        with pytest.raises(errors.ClientError, match="nosuch") as caught:
            client.models.generate_content(model="nosuch", contents="x")

        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")

    def test_a_busy_upstream_says_when_to_come_back(self, ask, on):
        on.then("busy")

        with pytest.raises(errors.ClientError) as caught:
            ask("What is it?")

        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
        assert caught.value.response.headers["retry-after"] == "7"

    def test_two_answers_at_once_are_refused_where_there_is_but_one(self, client, on):
        on.then("plain")
        two = types.GenerateContentConfig(candidate_count=2)

        if on.target in ("chat", "gemini"):
            client.models.generate_content(model=on.model, contents="x", config=two)
        else:
            with pytest.raises(errors.ClientError, match="candidateCount"):
                client.models.generate_content(model=on.model, contents="x", config=two)
            assert on.requests == []

    @pytest.mark.parametrize("scene", ["error_midway", "unfinished", "cut", "malformed"])
    def test_a_stream_that_breaks_raises(self, client, on, scene):
        on.then(scene)

        with pytest.raises((errors.APIError, errors.UnknownApiResponseError)):
            list(client.models.generate_content_stream(model=on.model, contents="What is it?"))

    def test_a_page_instead_of_an_answer_raises(self, ask, on):
        on.then(*["html"] * 3)

        with pytest.raises(errors.ServerError, match=on.upstream):
            ask("What is it?")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_function_answers_like_a_model(client, streamed, runner):
    options = {"model": "triage", "contents": "What day is it?"}

    if streamed:
        answer = "".join(chunk.text or "" for chunk in client.models.generate_content_stream(**options))
    else:
        answer = client.models.generate_content(**options).text

    assert answer == scenes.FUNCTION_ANSWER
    assert runner.given["question"] == "What day is it?"
