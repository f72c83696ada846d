"""What narrows a key, at the gateway: its time, its addresses, its models and functions, its rights; and where keys are read from."""

import asyncio
import dataclasses

import msgspec
import pytest

from flyball.gateway.address import client_address, client_scheme
from flyball.gateway.exchange import Exchange
from flyball.kit.addresses import networks_of
from flyball.kit.clock import NANOSECONDS, FixedClock, SystemClock
from flyball.kit.secrets import token_hash
from flyball.projects.key_records import ActiveKey

MESSAGES = [{"role": "user", "content": "hello"}]
GOOD = {"model": "fast", "messages": MESSAGES}
LOOPBACK = networks_of(["127.0.0.0/8"])
ELSEWHERE = networks_of(["203.0.113.0/24"])

# How each dialect asks for one answer of the model `fast`: path, header of the key, body.
DIALECTS = {
    "OpenAI Chat": ("/v1/chat/completions", "authorization", GOOD),
    "OpenAI Responses": ("/v1/responses", "authorization", {"model": "fast", "input": "hello"}),
    "Anthropic": ("/v1/messages", "x_api_key", {**GOOD, "max_tokens": 9}),
    "Gemini": (
        "/v1beta/models/fast:generateContent",
        "x_goog_api_key",
        {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    ),
}


@pytest.fixture
def holding(gateway):
    """Have the gateway know one key, of these limits; its secret."""

    def hold(**limits):
        key = ActiveKey(
            **{"hash": token_hash("fb_k"), "id": "k", "project": "default", "name": "narrow"}
            | {"permissions": frozenset({"gateway.call"})}
            | limits
        )
        gateway.know(keys={key.hash: key})
        return "fb_k"

    return hold


async def ask(gateway, dialect, key):
    path, header, body = DIALECTS[dialect]
    sent = f"Bearer {key}" if header == "authorization" else key
    return await gateway.send("POST", path, msgspec.json.encode(body), **{header: sent})


# -- every refusal in every dialect


THIEVES = {
    "expired": {"expires_ns": 1_700_000_000 * NANOSECONDS},
    "elsewhere": {"networks": ELSEWHERE},
}


@pytest.mark.parametrize("reason", THIEVES)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_key_that_does_not_work_any_more_or_here_is_answered_as_one_that_is_unknown(
    gateway, holding, dialect, reason
):
    key = holding(**THIEVES[reason])

    answer = await ask(gateway, dialect, key)
    unknown = await ask(gateway, dialect, "flyball_" + "x" * 43)

    assert answer.status == unknown.status == 401
    assert answer.body == unknown.body
    assert answer.headers.keys() == unknown.headers.keys()
    for word in (b"narrow", b"expired", b"2023", b"203.0.113", b"127.0.0.1", b"address"):
        assert word not in answer.body
    assert gateway.upstream.requests == []


async def test_refusals_of_keys_are_noted_once_each_and_what_strangers_send_is_bounded(gateway, holding):
    key = holding(**THIEVES["expired"])
    for sent in (key, key, "flyball_gone", "flyball_gone", "no key of ours", "flyball_" + "x" * 300):
        await ask(gateway, "OpenAI Chat", sent)

    refusals = gateway.house.refusals
    assert list(refusals._known) == [("k", "expired")]
    assert list(refusals._unknown) == [token_hash("flyball_gone")]
    for number in range(5_000):
        refusals.note_hash(b"%d" % number, 1, "")
    assert len(refusals._unknown) == 1_000


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_model_that_the_key_may_not_call_is_answered_as_one_that_is_not_there(gateway, holding, dialect):
    key = holding(models=frozenset({"slow"}))
    forbidden = await ask(gateway, dialect, key)

    gateway.know(models={})
    missing = await ask(gateway, dialect, key)

    assert forbidden.status == missing.status == 404
    assert forbidden.body == missing.body
    assert "'fast', or this key may not call it" in forbidden.error["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_key_without_the_right_to_call_is_refused(gateway, holding, dialect):
    answer = await ask(gateway, dialect, holding(permissions=frozenset({"traces.*"})))

    assert answer.status == 403
    assert "'narrow' may not call models" in answer.error["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_key_within_all_of_its_limits_is_served(gateway, holding, dialect):
    limits = {
        "models": frozenset({"fast"}),
        "networks": LOOPBACK,
        "expires_ns": SystemClock().now_ns() + NANOSECONDS * 60,
    }

    assert (await ask(gateway, dialect, holding(**limits))).status == 200


@pytest.mark.parametrize("permissions", [{"*"}, {"gateway.*"}, {"gateway.call", "traces.read"}])
async def test_the_right_to_call_may_be_part_of_a_wider_one(gateway, holding, permissions):
    assert (await gateway.post(GOOD, key=holding(permissions=frozenset(permissions)))).status == 200


# -- time


async def test_a_key_is_refused_from_its_moment_on_whichever_way_the_clock_jumps(gateway, holding, monkeypatch):
    clock = FixedClock()
    key = holding(expires_ns=clock.now_ns() + 60 * NANOSECONDS)
    monkeypatch.setattr(SystemClock, "now_ns", lambda _: clock.now_ns())
    seen = []

    for seconds in (0, 59.9, 0.1, 86_400 * 3, -86_400 * 5, 86_400 * 9):
        clock.advance(seconds)
        seen.append((await gateway.send("GET", "/v1/models", authorization=f"Bearer {key}")).status)

    assert seen == [200, 200, 401, 401, 200, 401]


# -- models and functions


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        (((), ()), {"fast", "slow", "triage", "other"}),
        ((("fast",), ()), {"fast"}),
        (((), ("triage",)), {"triage"}),
        ((("*",), ("other",)), {"fast", "slow", "other"}),
        ((("*",), ("*",)), {"fast", "slow", "triage", "other"}),
        ((("Fast", "f\u0430st", "fast ", "fas*"), ()), set()),
        ((("triage",), ()), set()),
        (((), ("fast",)), set()),
    ],
)  # fmt: skip
async def test_a_key_calls_what_it_names_and_sees_nothing_else(gateway, holding, made, named, seen):
    models, functions = named
    upstream = [(gateway.upstream, 1)]
    gateway.know(
        models={name: made.model(upstream, name=name) for name in ("fast", "slow")},
        functions={name: made.function(name=name) for name in ("triage", "other")},
    )
    key = holding(models=frozenset(models), functions=frozenset(functions))

    async with gateway.client(key) as client:
        listed = {entry.id async for entry in client.models.list()}
    called = set()
    for name in ("fast", "slow", "triage", "other"):
        one = await gateway.send("GET", f"/v1/models/{name}", authorization=f"Bearer {key}")
        answer = await gateway.post({"model": name, "messages": MESSAGES}, key=key)
        assert (answer.status == 404) == (one.status == 404)
        called |= {name} if answer.status != 404 else set()

    assert listed == called == seen


async def test_what_is_spelled_alike_is_suggested_only_where_the_key_may_call_it(gateway, holding, made):
    upstream = [(gateway.upstream, 1)]
    gateway.know(models={name: made.model(upstream, name=name) for name in ("gpt-secret", "gpt-public")})

    answer = await gateway.post(
        {"model": "gpt-publik", "messages": MESSAGES}, key=holding(models=frozenset({"gpt-public"}))
    )

    assert "did you mean 'gpt-public'?" in answer.error["message"]
    assert "gpt-secret" not in answer.error["message"]


async def test_a_function_that_is_not_live_or_a_model_without_a_key_is_no_hint_for_whoever_may_not_call_it(
    gateway, holding, made
):
    idle = msgspec.structs.replace(made.function(name="idle"), live=None)
    gateway.know(
        functions={"idle": idle}, models={"later": made.model([], name="later", reason="LATER_KEY is not set")}
    )
    key = holding(models=frozenset({"fast"}))

    answers = [await gateway.post({"model": name, "messages": MESSAGES}, key=key) for name in ("idle", "later", "none")]

    assert {answer.status for answer in answers} == {404}
    assert "LATER_KEY" not in str([answer.body for answer in answers])


# -- where the key is read from


async def test_a_key_in_the_address_is_taken_from_googles_callers_alone(gateway, made):
    body = msgspec.json.encode(DIALECTS["Gemini"][2])

    google = await gateway.send("POST", f"/v1beta/models/fast:generateContent?key={made.key}", body)
    twice = await gateway.send("POST", f"/v1beta/models/fast:generateContent?key={made.key}&key=x", body)
    openai = await gateway.send("POST", f"/v1/chat/completions?key={made.key}", msgspec.json.encode(GOOD))

    assert (google.status, twice.status, openai.status) == (200, 401, 401)


@pytest.mark.parametrize(
    "sent",
    [
        [("authorization", "Bearer KEY"), ("authorization", "Bearer fb_other")],
        [("authorization", "Bearer fb_other"), ("authorization", "Bearer KEY")],
        [("authorization", "Bearer KEY"), ("authorization", "Bearer KEY")],
        [("x-api-key", "KEY"), ("x-api-key", "KEY")],
        [("authorization", "Bearer fb_other"), ("x-api-key", "KEY")],
        [("authorization", "Basic KEY")],
        [("authorization", "KEY")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer KEY,")],
        [("authorization", "Bearer KEY KEY")],
        [("cookie", "flyball_session=KEY")],
        [("x-api-key", "Bearer KEY")],
    ],
)  # fmt: skip
async def test_a_key_that_is_not_sent_as_one_is_none(gateway, made, sent):
    lines = b"".join(f"{name}: {value.replace('KEY', made.key)}\r\n".encode() for name, value in sent)

    assert (await raw(gateway, lines)).startswith(b"HTTP/1.1 401")


async def test_the_scheme_is_read_in_any_case_and_a_key_with_spaces_around_it(gateway, made):
    assert (await raw(gateway, f"authorization: bEARER   {made.key}  \r\n".encode())).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("change", ["first", "last", "case", "longer", "shorter", "huge", "null"])
async def test_a_key_that_is_almost_one_is_none(gateway, made, change):
    key = made.key
    sent = {
        "first": "x" + key[1:],
        "last": key[:-1] + "x",
        "case": key.swapcase(),
        "longer": key + "x",
        "shorter": key[:-1],
        "huge": key * 500,
        "null": key + "%00",
    }[change]

    assert (await gateway.post(GOOD, key=sent)).status == 401


async def raw(gateway, lines):
    """The status line for a list of models that is asked for with these header lines."""
    host, _, port = gateway.base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + lines + b"\r\n")
    line = await reader.readline()
    writer.close()
    return line


# -- whose address it is


def exchange(peer, *headers):
    return Exchange(
        {"method": "GET", "path": "/", "scheme": "http", "client": (peer, 1) if peer else None, "headers": headers},
        None,
        None,
    )


PROXIES = networks_of(["10.0.0.0/8", "::1/128"])


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["192.0.2.1"], "203.0.113.7"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.66, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.66", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1, 10.0.0.2, 10.0.0.3"], "192.0.2.1"),
        ("10.0.0.1", ["10.9.9.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", ["2001:DB8::7"], "2001:db8::7"),
        ("10.0.0.1", ["192.0.2.66, unknown"], ""),
        ("10.0.0.1", ["192.0.2.66, <script>"], ""),
        ("10.0.0.1", ["192.0.2.66, " + "1" * 5000], ""),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [" , ,"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ("", ["192.0.2.1"], ""),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(peer, said, client):
    headers = [(b"x-forwarded-for", value.encode()) for value in said]

    assert client_address(exchange(peer, *headers), PROXIES) == client


def test_without_trusted_proxies_nobody_is_believed():
    spoofed = exchange("10.0.0.1", (b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-proto", b"https"))

    assert client_address(spoofed, ()) == "10.0.0.1"
    assert client_scheme(spoofed, ()) == b"http"
    assert client_scheme(spoofed, PROXIES) == b"https"
    assert client_scheme(exchange("203.0.113.7", (b"x-forwarded-proto", b"https")), PROXIES) == b"http"
    assert client_scheme(exchange("10.0.0.1", (b"x-forwarded-proto", b"javascript")), PROXIES) == b"http"


async def test_an_address_that_a_caller_only_claims_opens_nothing(gateway, holding):
    key = holding(networks=ELSEWHERE)

    for name in ("x_forwarded_for", "x_real_ip", "forwarded", "x_client_ip", "true_client_ip"):
        said = "for=203.0.113.7" if name == "forwarded" else "203.0.113.7"
        answer = await gateway.send("GET", "/v1/models", authorization=f"Bearer {key}", **{name: said})
        assert answer.status == 401


async def test_behind_a_trusted_proxy_the_clients_own_address_counts(gateway, holding):
    gateway.app._house = dataclasses.replace(gateway.house, proxies=LOOPBACK)
    key = holding(networks=ELSEWHERE)

    answers = [
        await gateway.send("GET", "/v1/models", authorization=f"Bearer {key}", x_forwarded_for=said)
        for said in ("203.0.113.7", "203.0.113.7, 192.0.2.1")
    ]

    assert [answer.status for answer in answers] == [200, 401]


# -- last use


async def test_a_use_is_noted_with_its_time_and_address_and_a_refused_one_is_not(gateway, holding):
    assert (await gateway.post(GOOD, key=holding(networks=ELSEWHERE))).status == 401
    assert gateway.house.uses._uses == {}

    before = SystemClock().now_ns()
    assert (await gateway.post(GOOD, key=holding())).status == 200

    use = gateway.house.uses._uses["k"]
    assert use.address == "127.0.0.1"
    assert before <= use.at_ns <= SystemClock().now_ns()
