"""The scripted upstream against every vendor's own client: what the script says is what the client hears, whole and streamed."""

import asyncio
import struct
import zlib

import msgspec
import openai
import pytest
from botocore.eventstream import EventStreamBuffer
from google.genai import types
from pyreqwest.client import ClientBuilder

from flyball.testing import Call, ScriptedUpstream, Source, Turn
from flyball.testing.bedrock import frame

PARIS = Call(name="weather", arguments='{"city": "Paris", "unit": "C"}')
OSLO = Call(name="weather", arguments='{"city":"Oslo"}')
BARE = Call(name="now", arguments="")
ENDS = {
    "openai_chat": {"stop": "stop", "max_tokens": "length", "tool_calls": "tool_calls"},
    "openai_responses": {"stop": "completed", "max_tokens": "max_output_tokens", "tool_calls": "completed"},
    "anthropic": {"stop": "end_turn", "max_tokens": "max_tokens", "tool_calls": "tool_use"},
    "gemini": {"stop": "STOP", "max_tokens": "MAX_TOKENS", "tool_calls": "STOP"},
    "bedrock": {"stop": "end_turn", "max_tokens": "max_tokens", "tool_calls": "tool_use"},
}
PLAIN_CHAT = (
    b'{"id":"chatcmpl-scripted","created":1700000000,"system_fingerprint":"fp_scripted","object":"chat.completion",'
    b'"model":"mock-small","choices":[{"index":0,"message":{"role":"assistant","content":"The governor measures the output '
    b'and corrects the input."},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":9,"total_tokens":20,'
    b'"prompt_tokens_details":{"cached_tokens":0}}}'
)

both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


async def sent(url, body=b"{}", method="POST", **headers):
    """A request without a client's opinions: status, headers, body."""
    async with ClientBuilder().no_proxy().build() as client:
        request = client.request(method, url)
        for name, value in headers.items():
            request = request.header(name.replace("_", "-"), value)
        answer = await (request.body_bytes(body) if body else request).build().send()
        return answer.status, dict(answer.headers.items()), bytes(await answer.bytes())


@both_ways
async def test_a_text_is_heard_with_its_counts(upstream, clients, dialect, streamed):
    upstream.then(
        Turn(text="naïve 語  governor.\nIt measures.", prompt_tokens=100, cached_tokens=60, completion_tokens=20)
    )

    heard = await clients.ask(dialect, streamed=streamed)

    assert heard.text == "naïve 語  governor.\nIt measures."
    assert (heard.stop, heard.tokens) == (ENDS[dialect]["stop"], (100, 20))
    assert (heard.thought, heard.calls) == ("", [])


@both_ways
async def test_a_call_comes_without_a_text(upstream, clients, dialect, streamed):
    upstream.then(Turn(text="", tool_calls=(PARIS,)))

    heard = await clients.ask(dialect, streamed=streamed)

    assert heard.calls == [("weather", {"city": "Paris", "unit": "C"})]
    assert (heard.text, heard.stop) == ("", ENDS[dialect]["tool_calls"])


@both_ways
@pytest.mark.parametrize("interleaved", [False, True])
async def test_parallel_calls_stay_apart_behind_a_text(upstream, clients, dialect, streamed, interleaved):
    upstream.then(Turn(text="I ask.", tool_calls=(PARIS, OSLO), interleaved=interleaved))

    heard = await clients.ask(dialect, streamed=streamed)

    assert heard.calls == [("weather", {"city": "Paris", "unit": "C"}), ("weather", {"city": "Oslo"})]
    assert heard.text == "I ask."


@both_ways
async def test_a_call_without_arguments_is_an_empty_object(upstream, clients, dialect, streamed):
    upstream.then(Turn(text="", tool_calls=(BARE,)))

    assert (await clients.ask(dialect, streamed=streamed)).calls == [("now", {})]


@both_ways
async def test_a_thought_comes_first_and_signed(upstream, clients, dialect, streamed):
    turn = Turn(thinking="I should look it up.", thinking_signature="c2lnbmF0dXJl", text="Look.", reasoning_tokens=4)
    upstream.then(turn)

    heard = await clients.ask(dialect, streamed=streamed)

    assert (heard.thought, heard.text) == ("I should look it up.", "Look.")
    assert heard.signature == {"openai_chat": "", "gemini": "signature"}.get(dialect, "c2lnbmF0dXJl")
    assert heard.tokens == (11, 9)


@both_ways
async def test_a_thought_before_a_call_is_signed_where_the_vendor_signs_it(upstream, clients, dialect, streamed):
    upstream.then(Turn(text="", thinking="Hm.", thinking_signature="c2lnbmF0dXJl", tool_calls=(PARIS, OSLO)))

    heard = await clients.ask(dialect, streamed=streamed)

    assert heard.signature == {"openai_chat": "", "gemini": "signature"}.get(dialect, "c2lnbmF0dXJl")
    assert len(heard.calls) == 2


@both_ways
@pytest.mark.parametrize("stop", ["max_tokens", "stop", "tool_calls"])
async def test_the_end_is_worded_as_the_vendor_words_it(upstream, clients, dialect, streamed, stop):
    upstream.then(Turn(stop=stop))

    if streamed and stop == "max_tokens" and dialect.startswith("openai"):  # whose client makes an error of it
        with pytest.raises((openai.LengthFinishReasonError, RuntimeError)):
            await clients.ask(dialect, streamed=streamed)
    else:
        assert (await clients.ask(dialect, streamed=streamed)).stop == ENDS[dialect][stop]


@both_ways
async def test_an_ending_that_nobody_knows_is_sent_as_it_is(upstream, clients, streamed):
    upstream.then(Turn(stop="brand_new"))

    assert (await clients.ask("anthropic", streamed=streamed)).stop == "brand_new"


@pytest.mark.parametrize("size", [1, 3, 7, 4096])
async def test_a_stream_cut_into_pieces_anywhere_is_the_same_stream(upstream, clients, dialect, size):
    upstream.then(Turn(text="naïve 語 governor", tool_calls=(PARIS,), chunk_bytes=size))

    heard = await clients.ask(dialect, streamed=True)

    assert (heard.text, heard.calls[0][0]) == ("naïve 語 governor", "weather")


async def test_a_refusal_is_worded_in_every_dialect(upstream, clients, dialect):
    upstream.then(Turn(refusal="I will not."))

    heard = await clients.ask(dialect, streamed=True)

    assert heard.stop == {
        "openai_chat": "stop", "openai_responses": "completed", "anthropic": "refusal",
        "gemini": "PROHIBITED_CONTENT", "bedrock": "content_filtered",
    }[dialect]  # fmt: skip
    assert Turn().text not in heard.text


async def test_openai_says_a_refusal_in_words_of_its_own(upstream, clients):
    upstream.then(*[Turn(refusal="I will not.")] * 2)

    chat = await clients.openai.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    response = await clients.openai.responses.create(model="m", input="x")

    assert (chat.choices[0].message.refusal, chat.choices[0].message.content) == ("I will not.", None)
    assert response.output[0].content[0].refusal == "I will not."


async def test_a_redacted_thought_is_handed_out_by_those_who_have_it(upstream, clients):
    upstream.then(*[Turn(redacted="cmVkYWN0ZWQ=")] * 2)

    said = await clients.anthropic.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "x"}])
    answer = await asyncio.to_thread(
        clients.amazon.converse, modelId="m", messages=[{"role": "user", "content": [{"text": "x"}]}]
    )

    assert said.content[0].data == "cmVkYWN0ZWQ="
    assert answer["output"]["message"]["content"][0]["reasoningContent"]["redactedContent"] == b"redacted"


async def test_citations_are_where_each_vendor_puts_them(upstream, clients):
    source = Source(url="https://example.com/a", title="A", quote="measures")
    upstream.otherwise = Turn(text="It measures ü.", citations=(source,))
    asked = [{"role": "user", "content": "x"}]

    chat = await clients.openai.chat.completions.create(model="m", messages=asked)
    response = await clients.openai.responses.create(model="m", input="x")
    async with clients.anthropic.messages.stream(model="m", max_tokens=5, messages=asked) as stream:
        message = await stream.get_final_message()
    google = await clients.google.models.generate_content(model="m", contents="x")

    cited = chat.choices[0].message.annotations[0].url_citation
    assert (cited.url, cited.start_index, cited.end_index) == ("https://example.com/a", 3, 11)
    assert response.output[0].content[0].annotations[0].title == "A"
    assert message.content[0].citations[0].cited_text == "measures"
    assert google.candidates[0].grounding_metadata.grounding_supports[0].segment.text == "measures"


async def test_an_image_is_answered_where_the_dialect_has_them(upstream, clients):
    upstream.otherwise = Turn(text="", image="aW1hZ2U=")

    response = await clients.openai.responses.create(model="m", input="x")
    google = await clients.google.models.generate_content(model="m", contents="x")

    assert response.output[0].result == "aW1hZ2U="
    assert google.candidates[0].content.parts[0].inline_data.data == b"image"


async def test_gemini_3_signs_its_calls_in_any_case(upstream, clients_of):
    upstream.then(Turn(text="", tool_calls=(PARIS, OSLO)))

    answer = await clients_of(upstream).google.models.generate_content(model="gemini-3-pro", contents="x")

    first, second = answer.candidates[0].content.parts
    assert first.thought_signature
    assert second.thought_signature is None


async def test_tokens_are_counted_ahead(upstream, clients):
    upstream.otherwise = Turn(prompt_tokens=42)
    asked = [{"role": "user", "content": "x"}]

    said = await clients.anthropic.messages.count_tokens(model="m", messages=asked)
    google = await clients.google.models.count_tokens(model="m", contents="x")
    amazon = await asyncio.to_thread(
        clients.amazon.count_tokens,
        modelId="m",
        input={"converse": {"messages": [{"role": "user", "content": [{"text": "x"}]}]}},
    )
    response = await clients.openai.responses.input_tokens.count(model="m", input="x")

    assert (said.input_tokens, google.total_tokens, amazon["inputTokens"]) == (42, 42, 42)
    assert response.input_tokens == 42


async def test_models_are_listed_for_each_vendors_client(clients_of):
    async with ScriptedUpstream(models=("one", "two")) as upstream:
        clients = clients_of(upstream)

        openais = [model.id async for model in clients.openai.models.list()]
        anthropics = [model.id async for model in clients.anthropic.models.list()]
        googles = [model.name async for model in await clients.google.models.list()]

    assert openais == anthropics == ["one", "two"]
    assert googles == ["models/one", "models/two"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/chat/completions", b"chat.completion"),
        ("/v1/chat/completions?x=1", b"chat.completion"),
        ("/openai/deployments/d/chat/completions?api-version=2024-10-21", b"chat.completion"),
        ("/openai/v1/responses", b'"object":"response"'),
        ("/anthropic/v1/messages", b'"type":"message"'),
        ("/v1beta/models/g:generateContent", b"candidates"),
        ("/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse", b"data: "),
        ("/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent", b"[{"),
        ("/model/anthropic.claude%3A0/converse", b"stopReason"),
    ],
)
async def test_a_path_is_understood_below_any_prefix(upstream, path, shown):
    status, _, body = await sent(upstream.root_url + path)

    assert status == 200
    assert shown in body


@pytest.mark.parametrize(
    "path", ["/", "/v1/embeddings", "/v1/messages/x", "/v1beta/models/g:embedContent", "/model/m/invoke"]
)
async def test_a_path_of_nobody_is_not_found(upstream, path):
    status, _, body = await sent(upstream.root_url + path)

    assert status == 404
    assert path in msgspec.json.decode(body)["error"]["message"]


async def test_a_plain_answer_to_chat_never_changes_by_a_byte(upstream):
    _, headers, body = await sent(upstream.base_url + "/chat/completions", b'{"model":"mock-small"}')

    assert body == PLAIN_CHAT
    assert headers == {"content-type": "application/json", "x-request-id": "scripted", "content-length": str(len(body))}


async def test_a_stream_of_gemini_without_sse_is_one_json_array(upstream):
    _, headers, body = await sent(upstream.root_url + "/v1beta/models/g:streamGenerateContent")

    chunks = msgspec.json.decode(body)
    assert headers["content-type"] == "application/json"
    said = "".join(part["text"] for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"])
    assert said == Turn().text
    assert [chunk["candidates"][0].get("finishReason") for chunk in chunks][-2:] == [None, "STOP"]


async def test_the_numbers_of_a_responses_stream_rise_by_one(upstream):
    turn = Turn(thinking="Hm.", tool_calls=(PARIS, OSLO), interleaved=True, image="aW1n", fault="unknown_events")
    upstream.then(turn)

    _, _, body = await sent(upstream.base_url + "/responses", b'{"model":"m","stream":true}')

    lines = [line for line in body.splitlines() if line.startswith(b"data: ")]
    assert [msgspec.json.decode(line[6:])["sequence_number"] for line in lines] == list(range(len(lines)))


def test_a_frame_has_the_checksums_that_amazons_own_client_demands():
    made = frame("contentBlockDelta", '{"delta": {"text": "語"}}'.encode())

    buffer = EventStreamBuffer()
    buffer.add_data(made)
    (event,) = buffer
    assert event.headers[":event-type"] == "contentBlockDelta"
    assert event.payload == '{"delta": {"text": "語"}}'.encode()
    total, headers, checksum = struct.unpack(">III", made[:12])
    assert (total, checksum) == (len(made), zlib.crc32(made[:8]))
    assert struct.unpack(">I", made[-4:])[0] == zlib.crc32(made[:-4])
    assert headers == len(made) - 16 - len(event.payload)


async def test_two_answers_at_once_are_given_where_they_are_asked_for(upstream, clients):
    upstream.otherwise = Turn(text="Yes.")

    chat = await clients.openai.chat.completions.create(model="m", n=2, messages=[{"role": "user", "content": "x"}])
    google = await clients.google.models.generate_content(
        model="m", contents="x", config=types.GenerateContentConfig(candidate_count=2)
    )

    assert [choice.message.content for choice in chat.choices] == ["Yes.", "Yes."]
    assert len(google.candidates) == 2


async def test_a_turn_may_be_written_into_the_models_name(clients_of, upstream, dialect):
    clients = clients_of(upstream, model="m?text=From+the+name.&thinking=Hm.")

    if dialect == "gemini":  # whose client takes no such name
        _, _, body = await sent(upstream.root_url + "/v1/models/m%3Ftext=From+the+name.&thinking=Hm.:generateContent")
        thought, text = msgspec.json.decode(body)["candidates"][0]["content"]["parts"]
        assert (text["text"], thought["text"]) == ("From the name.", "Hm.")
    else:
        heard = await clients.ask(dialect, streamed=False)
        assert (heard.text, heard.thought) == ("From the name.", "Hm.")


async def test_what_is_raw_is_sent_as_it_is_with_its_headers(upstream):
    upstream.then(
        Turn(raw=b'{"any": 1}', headers=(("x-ratelimit-remaining", "3"),)),
        Turn(raw=(b"data: 1\n\n", b"data: 2\n\n")),
    )

    _, headers, whole = await sent(upstream.base_url + "/messages")
    _, _, streamed = await sent(upstream.base_url + "/messages", b'{"stream": true}')

    assert (whole, headers["x-ratelimit-remaining"]) == (b'{"any": 1}', "3")
    assert streamed == b"data: 1\n\ndata: 2\n\n"


async def test_what_was_scripted_may_be_forgotten(upstream, clients, dialect):
    upstream.then(Turn(text="never said"))

    upstream.forget()

    assert (await clients.ask(dialect, streamed=False)).text == Turn().text
