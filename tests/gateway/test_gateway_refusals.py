"""What is refused before anybody is asked: in OpenAI's envelope, naming the thing and the next step."""

import asyncio

import msgspec
import openai
import pytest

from flyball.kit.secrets import token_hash
from flyball.projects.key_records import ActiveKey
from flyball.testing import Turn

MESSAGES = [{"role": "user", "content": "hello"}]
GOOD = {"model": "fast", "messages": MESSAGES}


async def test_an_unknown_key_is_refused_and_so_is_none(gateway):
    with pytest.raises(openai.AuthenticationError, match="this API key is not valid") as caught:
        async with gateway.client("fb_nobody") as client:
            await client.chat.completions.create(**GOOD)
    assert caught.value.code == "invalid_api_key"

    answer = await gateway.send("POST", "/v1/chat/completions", msgspec.json.encode(GOOD))
    assert answer.status == 401
    assert answer.error["code"] == "missing_api_key"
    assert "flyball keys create" in answer.error["message"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert gateway.spans == []


async def test_a_key_that_is_gone_from_the_snapshot_is_refused_from_the_next_call_on(gateway):
    assert (await gateway.post(GOOD)).status == 200

    gateway.know(keys={})

    assert (await gateway.post(GOOD)).status == 401


async def test_a_key_without_the_permission_is_refused(gateway):
    reader = ActiveKey(
        hash=token_hash("fb_reader"), id="k2", project="default", name="reader", permissions=frozenset({"traces.read"})
    )
    gateway.know(keys={reader.hash: reader})

    answer = await gateway.post(GOOD, key="fb_reader")

    assert (answer.status, answer.error["code"]) == (403, "key_not_allowed")


async def test_an_unknown_model_is_named_with_what_is_spelled_alike_and_is_recorded(gateway):
    with pytest.raises(
        openai.NotFoundError, match=r"named 'fsat'; did you mean 'fast'\?.*Next: GET /v1/models"
    ) as caught:
        async with gateway.client() as client:
            await client.chat.completions.create(model="fsat", messages=MESSAGES)

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert gateway.spans.root.attributes["error_code"] == "model_not_found"


async def test_a_model_that_is_not_configured_says_what_is_missing(gateway, made):
    gateway.know(models={"fast": made.model([], reason="the model 'fast' is not configured: MOCK_KEY is not set")})

    answer = await gateway.post(GOOD)

    assert (answer.status, answer.error["code"]) == (503, "model_not_configured")
    assert "MOCK_KEY is not set" in answer.error["message"]


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (b"not JSON", 400, "invalid_body", "not a JSON object"),
        (b"", 400, "invalid_body", "not a JSON object"),
        (b"[1]", 400, "invalid_body", "not a JSON object"),
        (b'{"model": "fast", "messages": [\xff]}', 400, "invalid_body", ""),
        (b'{"messages": []}', 400, "invalid_body", "'model' is missing"),
        (b'{"model": "", "messages": []}', 400, "invalid_body", "'model' is missing"),
        (b'{"model": 3, "messages": []}', 400, "invalid_body", "'model' is wrong"),
        (b'{"model": "fast"}', 400, "invalid_body", "'messages' is missing"),
        (b'{"model": "fast", "messages": [], "stream": "yes"}', 400, "invalid_body", "'stream' is wrong"),
        (b'{"model": "fast", "messages": [], "stream_options": []}', 400, "invalid_body", "'stream_options' is wrong"),
        (b'{"model": "fast", "messages": ' + b"[" * 100 + b"]" * 100 + b"}", 400, "body_too_deep", "64 levels"),
        (b"[" * 900_000, 400, "body_too_deep", "64 levels"),
        (b'{"x": "' + b"a" * 1_100_000 + b'"}', 413, "body_too_large", "1000000 bytes"),
        (b"{" + b",".join(b'"%d":1' % n for n in range(2000)) + b"}", 400, "body_too_wide", "1000 fields"),
    ],
)
async def test_a_body_that_is_wrong_is_told_in_what(gateway, body, status, code, words):
    answer = await gateway.post(body)

    assert (answer.status, answer.error["code"]) == (status, code)
    assert words in answer.error["message"]
    assert gateway.upstream.requests == []
    assert gateway.house.gate.bytes == 0


async def test_the_last_of_two_equal_fields_counts_here_and_for_the_upstream(gateway, made):
    gateway.know(models={"fast": made.model([(gateway.upstream, 1)])})

    await gateway.post(b'{"model": "forbidden", "messages": [{"role": "user", "content": "x"}], "model": "fast"}')

    assert gateway.upstream.requests[0].body.count(b'"model"') == 1
    assert b"forbidden" not in gateway.upstream.requests[0].body


async def test_a_wrong_path_or_method_under_v1_is_refused_in_the_same_envelope(gateway):
    wrong = await gateway.send("POST", "/v1/completion", b"{}")
    assert (wrong.status, wrong.error["code"]) == (404, "unknown_path")
    assert "/v1/chat/completions" in wrong.error["message"]

    wrong = await gateway.send("GET", "/v1/chat/completions")
    assert (wrong.status, wrong.error["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")


async def test_models_and_functions_are_listed_as_openai_does(gateway, made):
    idle = msgspec.structs.replace(made.function(name="idle"), live=None)
    gateway.know(
        functions={"triage": made.function(), "idle": idle},
        models={"fast": made.model([(gateway.upstream, 1)]), "later": made.model([], name="later")},
    )

    async with gateway.client() as client:
        listed = await client.models.list()
        one = await client.models.retrieve("triage")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("idle")

    assert [(entry.id, entry.object, entry.flyball["kind"]) for entry in listed.data] == [
        ("fast", "model", "model"),
        ("triage", "model", "function"),
    ]
    assert one.flyball["release"] == "rel_1"


async def test_before_the_first_snapshot_it_says_that_it_is_starting(gateway):
    gateway.snapshots.snapshot = None

    answer = await gateway.post(GOOD)

    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "not_ready", "1")


async def test_more_calls_than_a_worker_takes_are_shed_with_a_time_to_come_back(gateway):
    gateway.upstream.otherwise = Turn(delay_seconds=0.5)

    answers = await asyncio.gather(*(gateway.post(GOOD) for _ in range(70)))

    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 50
    assert statuses.count(503) == 20
    shed = next(answer for answer in answers if answer.status == 503)
    assert (shed.error["code"], shed.headers["retry-after"]) == ("overloaded", "1")
    assert gateway.house.gate.calls == 0


async def test_more_bytes_than_a_worker_holds_are_shed(gateway):
    gateway.upstream.otherwise = Turn(delay_seconds=0.5)
    large = {**GOOD, "padding": "x" * 900_000}

    answers = await asyncio.gather(*(gateway.post(large) for _ in range(8)))

    assert sorted({answer.status for answer in answers}) == [200, 503]
    assert gateway.house.gate.bytes == 0
