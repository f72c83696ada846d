"""The ways to a provider and back: the address to which a browser is sent, and the exchange of the code that it brings."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from flyball.infra.egress.client import Egress
from flyball.kit.secrets import Secret, hiding

from .errors import ProviderAnswerError
from .metadata import Metadata, fetch_object

_LONGEST_TOKEN = 64 * 1024


class Client(NamedTuple):
    """Who flyball is to a provider. `secret` is None for a public client; `auth` says how it is sent: basic or post."""

    id: str
    auth: str
    secret: Secret | None


@hiding("state", "nonce", "verifier")
class Asked(NamedTuple):
    """What a browser is sent with; all but the redirect address random, and each for one sign-in."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str


@hiding("id_token", "access_token")
class Tokens(NamedTuple):
    """What a code was exchanged for."""

    id_token: str
    access_token: str


def address(metadata: Metadata, client_id: str, scopes: tuple[str, ...], asked: Asked) -> str:
    """Where the browser goes to sign in."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": asked.redirect_uri,
        "scope": " ".join(scopes),
        "state": asked.state,
        "nonce": asked.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return _with(metadata.authorization, query)


def sign_out_address(metadata: Metadata, client_id: str) -> str:
    """Where the browser goes to sign out of the provider too; empty where it has no such address."""
    return _with(metadata.end_session, {"client_id": client_id}) if metadata.end_session else ""


async def exchange(egress: Egress, metadata: Metadata, client: Client, code: str, asked: Asked) -> Tokens:
    """The tokens that a code stands for, once. Raises ProviderAnswerError."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": asked.redirect_uri,
        "code_verifier": asked.verifier,
    }
    headers: dict[str, str | Secret] = {
        "content-type": "application/x-www-form-urlencoded",
        "accept": "application/json",
    }
    if client.auth == "basic" and client.secret is not None:
        pair = f"{quote(client.id, safe='')}:{quote(client.secret.reveal(), safe='')}"
        headers["authorization"] = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    else:
        form["client_id"] = client.id
        if client.secret is not None:
            form["client_secret"] = client.secret.reveal()
    told = await fetch_object(
        egress, "POST", metadata.token, "the tokens", headers=headers, body=urlencode(form).encode()
    )
    id_token, access_token = told.get("id_token"), told.get("access_token", "")
    if not isinstance(id_token, str) or not isinstance(access_token, str):
        raise ProviderAnswerError("the tokens cannot be had: there is no ID token among them")
    if len(access_token) > _LONGEST_TOKEN:
        raise ProviderAnswerError("the access token is longer than any")
    return Tokens(id_token, access_token)


async def user_info(egress: Egress, metadata: Metadata, tokens: Tokens, subject: str) -> Mapping[str, Any]:
    """What the provider says of its user beyond the ID token; nothing where it cannot be asked. Raises ProviderAnswerError."""
    if not metadata.user_info or not tokens.access_token.isascii() or not tokens.access_token.isprintable():
        return {}
    if not tokens.access_token:
        return {}
    headers = {"authorization": Secret(f"Bearer {tokens.access_token}"), "accept": "application/json"}
    told = await fetch_object(egress, "GET", metadata.user_info, "the user information", headers=headers)
    if told.get("sub") != subject:
        raise ProviderAnswerError("the user information is about somebody else (sub)")
    return told


def _with(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
