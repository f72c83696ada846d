"""Bedrock over the wire: what arrives there carries the signature that Amazon's own client makes of what arrived."""

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from flyball.kit.clock import FixedClock
from flyball.kit.secrets import Secret
from flyball.llm.calling import put, question, whole
from flyball.llm.errors import UpstreamRefusedError
from flyball.llm.losses import Losses
from flyball.llm.providers.bedrock import Bedrock
from flyball.llm.providers.protocol import Ask, Upstream
from flyball.llm.translation import dialect
from flyball.llm.wire import Wire
from flyball.testing import ScriptedUpstream

KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
BODY = b'{"model":"any","messages":[{"role":"user","content":"What does a governor do?"}]}'
ASK = Ask("bedrock_converse", "generate", stream=False, body=b"{}")


def upstream(base_url="", **changes):
    told = {"vendor": "bedrock", "base_url": base_url, "model": "amazon.nova-pro-v1:0", "region": "us-east-1"}
    keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": Secret(KEY)}
    return Upstream(**{**told, **keys, **changes})


@pytest.fixture
async def wire():
    async with Wire(FixedClock(), connect_seconds=1, idle_seconds=5) as wire:
        yield wire


@pytest.mark.parametrize("model", ["amazon.nova-pro-v1:0", "us.anthropic.claude-opus-4-7", ARN])
@pytest.mark.parametrize("token", ["", "a-session's-token/+=="])
async def test_what_arrives_is_signed_as_amazons_own_client_signs_it(wire, model, token):
    session = {"session_token": Secret(token)} if token else {}
    async with ScriptedUpstream() as scripted:
        at = upstream(scripted.root_url, model=model, **session)
        asking = question(dialect("openai_chat").ask(BODY), "generate", at, Losses("tests"))
        async with put(asking, wire, at, seconds=5) as reply:
            completion = (await whole(reply, asking.dialect))[1]

    arrived = scripted.requests[0]
    proof = arrived.headers["authorization"]
    signed = proof.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    theirs = AWSRequest(
        "POST",
        f"{scripted.root_url}{arrived.path}",
        headers={name: arrived.headers[name] for name in signed if not name.startswith("x-amz-")},
        data=arrived.body,
    )
    now = datetime.fromtimestamp(1_700_000_000, UTC)
    with patch.object(auth, "get_current_datetime", return_value=now):
        auth.SigV4Auth(Credentials("AKIDEXAMPLE", KEY, token or None), "bedrock", "us-east-1").add_auth(theirs)
    assert completion.text
    assert proof == theirs.headers["Authorization"]
    assert arrived.headers.get("x-amz-security-token", "") == token
    assert "host" in signed


async def test_one_of_bedrocks_api_keys_needs_no_signature(wire):
    order = await Bedrock().order(upstream(api_key=Secret("bedrock-api-key-1")), ASK, wire)

    assert order.secrets == (("authorization", "Bearer bedrock-api-key-1"),)
    assert "x-amz-date" not in dict(order.headers)


async def test_the_region_is_in_the_address_and_an_arn_in_one_part_of_the_path(wire):
    order = await Bedrock().order(upstream(model=ARN, region="eu-central-1"), ASK._replace(stream=True), wire)

    assert order.url == (
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/"
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2c3/converse-stream"
    )


async def test_tokens_are_counted_at_a_path_of_their_own(wire):
    order = await Bedrock().order(upstream(), ASK._replace(verb="count_tokens"), wire)

    assert order.url.endswith("/model/amazon.nova-pro-v1%3A0/count-tokens")


async def test_signatures_and_tokens_are_secrets_and_the_date_is_none(wire):
    order = await Bedrock().order(upstream(session_token=Secret("token-1")), ASK, wire)

    assert set(dict(order.secrets)) == {"authorization", "x-amz-security-token"}
    assert dict(order.headers)["x-amz-date"] == "20231114T221320Z"
    assert [secret.reveal() for secret in order.blot] == [KEY, "token-1"]
    assert KEY not in repr(order)


@pytest.mark.parametrize("missing", [{"access_key_id": ""}, {"secret_access_key": None}])
async def test_without_a_key_nothing_is_sent(wire, missing):
    with pytest.raises(UpstreamRefusedError, match="neither an API key nor an access key") as caught:
        await Bedrock().order(upstream(**missing), ASK, wire)

    assert caught.value.upstream_status == 401
    assert KEY not in str(caught.value)
