"""Any JSON as an ID token's header, as its claims, as a provider's key: refused cleanly, or accepted with the claims that were signed."""

import base64
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from flyball.identity import accounts
from flyball.identity.errors import SignInRefusedError
from flyball.identity.oidc import tokens
from flyball.identity.oidc.errors import TokenRefusedError
from flyball.identity.provider_records import Provider

KEY = OKPKey.generate_key("Ed25519", {"kid": "first"})
PUBLISHED = KEY.as_dict(private=False)
NOW = 1_700_000_000
EXPECTED = tokens.Expected("https://idp.example.org", "flyball", "nonce", NOW)
HEADER = {"alg": "EdDSA", "kid": "first"}
CLAIMS = {"iss": "https://idp.example.org", "aud": "flyball", "sub": "maria", "iat": NOW, "exp": NOW + 300, "nonce": "nonce"}  # fmt: skip
PROVIDER = Provider(
    issuer="https://idp.example.org", client_id="flyball", client_auth="none", label="us", groups_claim="groups",
    id="idp_1", name="us", project="default", organisation="default", created_by="x", created_ns=0, updated_ns=0,
)  # fmt: skip
WORDS = st.sampled_from(["EdDSA", "RS256", "none", "first", "flyball", "maria", "nonce", "true", "OKP", "", "a\x00b"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | WORDS, inner, max_size=3),
    max_leaves=8,
)
HEADER_NAMES = ("alg", "kid", "typ", "cty", "crit", "b64", "zip", "jwk", "jku", "x5c", "x5u", "x5t")
CLAIM_NAMES = (*CLAIMS, "nbf", "azp", "at_hash", "email", "email_verified", "name", "preferred_username", "groups")
KEY_NAMES = ("kty", "crv", "x", "y", "n", "e", "use", "alg", "kid", "key_ops")


def over(base, names):
    """What is expected, with some of it replaced by anything."""
    return st.dictionaries(st.sampled_from(names), JSON, max_size=3).map(lambda changes: base | changes)


def part(value) -> str:
    data = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(header, claims) -> str:
    told = f"{part(header)}.{part(claims)}"
    return f"{told}.{part(KEY.private_key.sign(told.encode()))}"


def judged(token, keys=(PUBLISHED,)) -> dict:
    """The claims of a token that was accepted; {} for one that was refused. Anything else is an error."""
    try:
        tokens.key_name(token)
        claims = tokens.verify(token, keys, EXPECTED)
    except TokenRefusedError:
        return {}
    with suppress(SignInRefusedError):
        accounts.account_of(PROVIDER, claims)
    return dict(claims)


def test_an_honest_token_is_accepted():
    assert judged(signed(HEADER, CLAIMS)) == CLAIMS


@given(JSON | over(HEADER, HEADER_NAMES))
def test_any_header_is_refused_or_understood(header):
    claims = judged(signed(header, CLAIMS))

    assert claims in ({}, CLAIMS)
    assert not claims or (header["alg"] == "EdDSA" and header.get("kid") in (None, "first") and "crit" not in header)


@given(JSON | over(CLAIMS, CLAIM_NAMES))
def test_any_claims_are_refused_or_those_of_the_token(told):
    claims = judged(signed(HEADER, told))

    assert not claims or (
        claims["sub"] == told["sub"] and claims["sub"].isprintable() and claims["iss"] == CLAIMS["iss"]
    )


@given(st.lists(JSON.filter(lambda key: isinstance(key, dict)) | over(PUBLISHED, KEY_NAMES), max_size=3))
def test_any_keys_are_passed_over_or_fit(keys):
    assert judged(signed(HEADER, CLAIMS), keys) in ({}, CLAIMS)


@given(st.text(max_size=60) | st.from_regex(r"\A[A-Za-z0-9_=-]{0,40}\.[A-Za-z0-9_=-]{0,40}\.[A-Za-z0-9_=-]{0,40}\Z"))
def test_any_text_is_refused(token):
    assert judged(token) == {}


@pytest.mark.parametrize("nested", [b"[" * 40_000, b'{"a":' * 9_000, b'{"alg":' + b"[" * 9_000 + b"]" * 9_000 + b"}"])
def test_what_nests_without_end_is_refused(nested):
    assert judged(signed(nested, CLAIMS)) == {}
    assert judged(signed(HEADER, nested)) == {}
