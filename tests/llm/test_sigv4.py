"""Amazon's signatures against Amazon's own: botocore signs the same requests, whatever they are."""

from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.llm.sigv4 import Signer, signed

AT = datetime(2026, 3, 9, 7, 5, 3, tzinfo=UTC)
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).map(lambda name: f"x-{name}")
WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+=", min_size=1, max_size=40)


def theirs(signer, method, url, *, headers, body, at=AT):
    """The same request, signed by botocore."""
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    credentials = Credentials(signer.key_id, signer.key, signer.token or None)
    with patch.object(auth, "get_current_datetime", return_value=at):
        auth.SigV4Auth(credentials, signer.service, signer.region).add_auth(request)
    return request.headers


def the_same(signer, method, url, **asked):
    ours = signed(signer, method, url, **{"at": AT, **asked})
    found = theirs(signer, method, url, **asked)
    assert ours["authorization"] == found["Authorization"]
    assert ours["x-amz-date"] == found["X-Amz-Date"]
    assert ours.get("x-amz-security-token") == found.get("X-Amz-Security-Token")


SEGMENTS = st.text(max_size=30).map(lambda text: quote(text, safe="")).filter(lambda text: text not in (".", ".."))
SIGNERS = st.builds(
    Signer,
    key_id=st.just("AKIDEXAMPLE"),
    key=WORDS,
    token=st.one_of(st.just(""), WORDS),
    region=st.sampled_from(("us-east-1", "eu-central-1", "ap-southeast-2")),
    service=st.just("bedrock"),
)


@st.composite
def urls(draw):
    host = "https://bedrock-runtime.us-east-1.amazonaws.com" + draw(st.sampled_from(("", ":443", ":8443")))
    path = "/".join(filter(None, draw(st.lists(SEGMENTS, min_size=1))))
    query = draw(st.lists(st.tuples(PRINTABLE, PRINTABLE), max_size=4))
    asked = "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in query)
    return f"{host}/{path}" + (f"?{asked}" if asked else "")


@settings(max_examples=300, deadline=None)
@given(
    signer=SIGNERS,
    method=st.sampled_from(("POST", "GET", "PUT")),
    url=urls(),
    asked=st.fixed_dictionaries(
        {
            "headers": st.dictionaries(NAMES, PRINTABLE, max_size=4),
            "body": st.binary(max_size=200),
            "at": st.datetimes(datetime(2015, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- the strategy adds the zone
        }
    ),
)
def test_it_signs_whatever_request_as_amazons_own_client_does(signer, method, url, asked):
    the_same(signer, method, url, **asked)


@pytest.mark.parametrize(
    "model",
    [
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-opus-4-7",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
        "a name with spaces, ünïcode and a %",
    ],
)
@pytest.mark.parametrize("verb", ["converse", "converse-stream", "count-tokens"])
def test_it_signs_bedrocks_paths_with_their_names_quoted_twice(model, verb):
    url = f"https://bedrock-runtime.us-east-1.amazonaws.com/model/{quote(model, safe='')}/{verb}"

    the_same(
        Signer("AKID", KEY, "", "us-east-1", "bedrock"),
        "POST",
        url,
        headers={"content-type": "application/json"},
        body=b"{}",
    )


def test_it_gives_the_signature_that_amazon_publishes_for_its_example():
    # "get-vanilla" of Amazon's suite of test vectors for Signature Version 4.
    signer = Signer("AKIDEXAMPLE", KEY, "", "us-east-1", "service")

    found = signed(
        signer,
        "GET",
        "https://example.amazonaws.com/",
        headers={},
        body=b"",
        at=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )

    assert found == {
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    }


def test_a_port_of_its_own_and_an_address_of_ipv6_are_signed_as_they_are_sent():
    for url in ("http://127.0.0.1:8123/model/m/converse", "http://[::1]:8123/model/m/converse"):
        the_same(Signer("AKID", KEY, "", "us-east-1", "bedrock"), "POST", url, headers={}, body=b"{}")


def test_other_words_another_day_or_another_key_are_another_signature():
    signer = Signer("AKID", KEY, "", "us-east-1", "bedrock")
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"
    one = signed(signer, "POST", url, headers={}, body=b"{}", at=AT)["authorization"]

    assert one != signed(signer, "POST", url, headers={}, body=b"{ }", at=AT)["authorization"]
    assert one != signed(signer, "POST", url, headers={}, body=b"{}", at=AT.replace(day=10))["authorization"]
    assert one != signed(signer._replace(key="x"), "POST", url, headers={}, body=b"{}", at=AT)["authorization"]
    assert KEY not in one
