"""What callers say beside the question, rightly and wrongly: the `flyball` object, headers in several lines, who asks."""

from dataclasses import replace

import msgspec
import pytest
from pyreqwest.client import ClientBuilder
from surroundings import KEY, serving

from flyball.gateway.app import GatewayApp
from flyball.testing import Turn

MESSAGES = [{"role": "user", "content": "What does a governor do?"}]


@pytest.mark.parametrize(
    ("ours", "param"),
    [
        (b'"flyball":{"x":1e999}', "flyball"),
        (b'"flyball":{"x":"\xff"}', "flyball"),
        (b'"extra_body":{"x":"\xff"}', "extra_body"),
        (b'"flyball":3', "flyball"),
        (b'"extra_body":{"flyball":[]}', "flyball"),
        (b'"flyball":{"strict":"yes"}', "flyball.strict"),
        (b'"flyball":{"strict":null}', "flyball.strict"),
    ],
)
@pytest.mark.parametrize("model", ["fast", "triage"])
async def test_what_is_wrong_in_the_flyball_object_is_refused_by_name_and_recorded(gateway, runner, ours, param, model):
    told = await gateway.post(b'{"model":"%b","messages":[],%b}' % (model.encode(), ours))

    assert (told.status, told.error["param"]) == (400, param)
    assert gateway.upstream.requests == []
    assert runner.requests == []
    assert gateway.spans.root.status == "error"


async def lines(gateway, path, body, headers):
    """A request whose headers may come in several lines."""
    async with ClientBuilder().no_proxy().build() as client:
        request = client.post(gateway.base + path).body_bytes(msgspec.json.encode(body))
        for name, value in headers:
            request = request.header(name, value)
        return (await request.build().send()).status


async def test_what_a_header_says_in_several_lines_is_one_list(gateway, made):
    gateway.know(models={"fast": made.model([(gateway.upstream, 1)], provider="anthropic")})
    betas = [("x-api-key", KEY), ("anthropic-beta", "one-2026"), ("anthropic-beta", "two-2026")]

    await lines(gateway, "/v1/messages", {"model": "fast", "max_tokens": 5, "messages": MESSAGES}, betas)

    assert gateway.upstream.requests[0].headers["anthropic-beta"] == "one-2026, two-2026"


async def test_two_keys_are_no_key(gateway):
    keys = [("authorization", f"Bearer {KEY}"), ("authorization", "Bearer fb_other")]

    assert await lines(gateway, "/v1/chat/completions", {"model": "fast", "messages": MESSAGES}, keys) == 401


async def test_a_header_of_one_vendors_callers_goes_to_no_other_vendor(gateway):
    await gateway.send(
        "POST",
        "/v1/chat/completions",
        msgspec.json.encode({"model": "fast", "messages": MESSAGES}),
        authorization=f"Bearer {KEY}",
        anthropic_beta="one-2026",
    )

    assert "anthropic-beta" not in gateway.upstream.requests[0].headers


async def test_googles_clients_see_googles_list_under_every_version(gateway):
    for path in ("/v1/models", "/v1beta/models", "/v1alpha/models"):
        told = await gateway.send("GET", path, x_goog_api_key=KEY)

        assert [one["name"] for one in msgspec.json.decode(told.body)["models"]] == ["models/fast", "models/triage"]
    told = await gateway.send("GET", "/v1/models/fast", x_goog_api_key=KEY)
    assert msgspec.json.decode(told.body)["name"] == "models/fast"


# -- the question for the number of tokens


async def count(gateway, **fields):
    body = msgspec.json.encode({"model": "fast", "messages": MESSAGES, **fields})
    return await gateway.send("POST", "/v1/messages/count_tokens", body, x_api_key=KEY)


async def test_a_question_for_tokens_is_never_streamed_whatever_it_says(gateway, made, data_dir):
    gateway.know(models={"fast": made.model([(gateway.upstream, 1)], provider="anthropic")})
    gateway.upstream.then(Turn(delay_seconds=0.3))
    house = replace(gateway.house, early_keep_alive_seconds=0.05, keep_alive_seconds=0.05)
    async with serving(GatewayApp(house)) as address:
        impatient = type(gateway)(f"http://127.0.0.1:{address[1]}", house, gateway.upstream)
        told = await count(impatient, stream=True)

    assert (told.status, told.headers["content-type"]) == (200, "application/json")
    assert msgspec.json.decode(told.body)["input_tokens"] > 0


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_what_a_vendor_refuses_to_count_is_refused_and_not_estimated(gateway, made, status):
    gateway.know(models={"fast": made.model([(gateway.upstream, 1)], provider="anthropic")})
    for _ in range(3):
        gateway.upstream.then(Turn(fault="status", status=status))

    told = await count(gateway)

    assert told.status == (502 if status == 403 else status)
    assert "x-flyball-estimated" not in told.headers
    assert msgspec.json.decode(told.body)["type"] == "error"


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_vendor_that_does_not_know_the_question_leaves_it_to_an_estimate(gateway, made, status):
    gateway.know(models={"fast": made.model([(gateway.upstream, 1)], provider="anthropic")})
    for _ in range(3):
        gateway.upstream.then(Turn(fault="status", status=status))

    told = await count(gateway)

    assert (told.status, told.headers["x-flyball-estimated"]) == (200, "true")
