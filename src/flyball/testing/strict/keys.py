"""How each vendor looks at a key, and what it says where it does not like it."""

from urllib.parse import parse_qs

from flyball.testing.dialect import Failure


def openai(key: str, headers: dict[str, str], query: str) -> Failure | None:  # noqa: ARG001 -- never in the query
    """A bearer token; at Azure a header of its own."""
    given = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if not given:
        return Failure(401, "You didn't provide an API key.")
    return None if given == key else Failure(401, f"Incorrect API key provided: {given[:3]}***.", "invalid_api_key")


def anthropic(key: str, headers: dict[str, str], query: str) -> Failure | None:  # noqa: ARG001 -- never in the query
    """A header of its own, or a bearer token. The version of the interface has to be named too."""
    given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if not given:
        return Failure(401, "x-api-key header is required")
    if given != key:
        return Failure(401, "invalid x-api-key")
    return None if "anthropic-version" in headers else Failure(400, "anthropic-version: header is required")


def gemini(key: str, headers: dict[str, str], query: str) -> Failure | None:
    """A header of its own or the query; at Vertex AI a bearer token. A wrong key is a 400, none is a 403."""
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if bearer:
        said = "Request had invalid authentication credentials. Expected OAuth 2 access token."
        return None if bearer == key else Failure(401, said, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
    given = headers.get("x-goog-api-key") or "".join(parse_qs(query).get("key", []))
    if not given:
        return Failure(403, "Method doesn't allow unregistered callers (callers without established identity).")
    return None if given == key else Failure(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")


def bedrock(key: str, headers: dict[str, str], query: str) -> Failure | None:  # noqa: ARG001 -- never in the query
    """A signature whose credential is the access key `key`, or `key` as a bearer token. The signature is not computed."""
    given = headers.get("authorization", "")
    if not given:
        return Failure(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
    if given == f"Bearer {key}":
        return None
    method, _, rest = given.partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = parts.get("Credential", "").split("/")
    signed = parts.get("SignedHeaders", "").split(";")
    whole = method == "AWS4-HMAC-SHA256" and len(scope) == 5 and scope[3:] == ["bedrock", "aws4_request"]
    if not whole or not {"host", "x-amz-date"}.issubset(signed) or len(parts.get("Signature", "")) != 64:
        return Failure(403, "Authorization header requires a whole signature.", "IncompleteSignatureException")
    if scope[0] != key:
        return Failure(403, "The security token included in the request is invalid.", "UnrecognizedClientException")
    return None
