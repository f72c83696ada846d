"""The model API's paths: which dialect is spoken there, and what is asked. A bare table, and Gemini's paths, which hold the model."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qs

from flyball.llm.calling import Verb as CallVerb
from flyball.llm.dialect import Dialect
from flyball.llm.translation import dialect

from .errors import UnknownPathError, WrongMethodError

Verb: TypeAlias = CallVerb | Literal["list_models"]


class Way(NamedTuple):
    """How one path is called."""

    method: str
    dialect: str
    verb: Verb


class Route(NamedTuple):
    """A path that was found. `model` and `stream` are what the path says, empty and None where the body does."""

    dialect: Dialect
    verb: Verb
    model: str = ""
    stream: bool | None = None
    as_array: bool = False  # Gemini's streams are a JSON array unless events are asked for


WAYS: Mapping[str, Way] = {
    "/v1/chat/completions": Way("POST", "openai_chat", "generate"),
    "/v1/responses": Way("POST", "openai_responses", "generate"),
    "/v1/responses/input_tokens": Way("POST", "openai_responses", "count_tokens"),
    "/v1/messages": Way("POST", "anthropic_messages", "generate"),
    "/v1/messages/count_tokens": Way("POST", "anthropic_messages", "count_tokens"),
    "/v1/models": Way("GET", "openai_chat", "list_models"),
    "/v1/models/{model}": Way("GET", "openai_chat", "list_models"),
    "/v1beta/models": Way("GET", "gemini", "list_models"),
    "/v1beta/models/{model}": Way("GET", "gemini", "list_models"),
    "/v1beta/models/{model}:generateContent": Way("POST", "gemini", "generate"),
    "/v1beta/models/{model}:streamGenerateContent": Way("POST", "gemini", "generate"),
    "/v1beta/models/{model}:countTokens": Way("POST", "gemini", "count_tokens"),
}
# The vendor serves the same under three versions, and its clients choose.
_MODEL = re.compile(r"/(v1|v1beta|v1alpha)/models/(.+?)(:generateContent|:streamGenerateContent|:countTokens)?")


# Under the same version, and not the model API's: where telemetry is sent to.
_TELEMETRY = frozenset(("/v1/traces", "/v1/logs", "/v1/metrics"))


def is_ours(path: str) -> bool:
    """Whether a path is the model API's, found or not."""
    return path not in _TELEMETRY and path.startswith("/v1") and path.split("/", 2)[1] in ("v1", "v1beta", "v1alpha")


def find(method: str, path: str, query: bytes, headers: Mapping[bytes, bytes]) -> Route:
    """The route of a request.

    Raises:
        UnknownPathError: nothing is there; names what is.
        WrongMethodError: it is called in another way.
    """
    way, model, verb = WAYS.get(path.replace("/v1alpha/", "/v1beta/", 1)), "", ""
    if way is None and (found := _MODEL.fullmatch(path)) is not None:
        version, model, verb = found[1], found[2], found[3] or ""
        way = WAYS[f"/{'v1beta' if verb or version != 'v1' else 'v1'}/models/{{model}}{verb}"]
    if way is None:
        raise UnknownPathError(path, ", ".join(WAYS))
    if method != way.method:
        raise WrongMethodError(method, path, way.method)
    stream = None
    if way.dialect == "gemini" and way.verb == "generate":
        stream = verb == ":streamGenerateContent"
    as_array = bool(stream) and parse_qs(query).get(b"alt", [b""])[-1] != b"sse"
    return Route(dialect(_spoken(way, headers)), way.verb, model, stream, as_array)


def spoken_at(path: str, headers: Mapping[bytes, bytes]) -> Dialect:
    """In which dialect to refuse what has no route."""
    if way := WAYS.get(path):
        return dialect(_spoken(way, headers))
    if path.startswith("/v1/messages") or b"anthropic-version" in headers:
        return dialect("anthropic_messages")
    if not path.startswith("/v1/") or _MODEL.fullmatch(path):
        return dialect("gemini")
    return dialect("openai_responses" if path.startswith("/v1/responses") else "openai_chat")


def _spoken(way: Way, headers: Mapping[bytes, bytes]) -> str:
    """Three vendors list their models at the same path; two of them tell themselves apart by their headers."""
    if way.verb == "list_models" and b"anthropic-version" in headers:
        return "anthropic_messages"
    if way.verb == "list_models" and b"x-goog-api-key" in headers:
        return "gemini"
    return way.dialect
