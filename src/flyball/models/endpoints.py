"""What a model's `env:NAME` references stand for in this process. The only place where an endpoint's secret appears.

A model of which no endpoint can be resolved is not configured: a state with a reason, not an error of its declaration.
"""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from flyball.kit.secrets import Secret

from .errors import ModelNotConfiguredError, ModelSpecError
from .records import Endpoint, ModelSpec, Provider

_REFERENCE = re.compile(r"^env:([A-Za-z_][A-Za-z0-9_]*)$")
_OURS = re.compile(r"^env:FLYBALL_", re.IGNORECASE)  # the address of our own database, for one


class ResolvedEndpoint(NamedTuple):
    """An endpoint that can be called. `api_key` cannot be printed or serialised by accident."""

    provider: Provider
    base_url: str
    model: str
    api_key: Secret | None
    weight: float


def check(name: str, spec: ModelSpec) -> None:
    """Prove a declaration sound, whatever the environment holds.

    Raises:
        ModelSpecError: a key written out, a setting of ours, a URL with a password in it, or one that is no URL. The
            value is never repeated.
    """
    for number, endpoint in enumerate(spec.endpoints):
        place = f"models.{name}.endpoints[{number}]"
        if endpoint.api_key and not _REFERENCE.match(endpoint.api_key):
            raise ModelSpecError(
                f"{place}.api_key is written out; keys are never stored",
                next_step="put the key into the environment and write env:NAME",
            )
        if not _REFERENCE.match(endpoint.base_url) and (problem := _url_problem(endpoint.base_url)):
            raise ModelSpecError(
                f"{place}.base_url {problem}", next_step="write http(s)://host[:port]/path, or env:NAME"
            )
        for field in ("base_url", "api_key"):
            if _OURS.match(getattr(endpoint, field)):
                raise ModelSpecError(
                    f"{place}.{field} names a variable of flyball's own settings, which are sent nowhere",
                    next_step="put the model's address or key into a variable of its own",
                )
        if not endpoint.model:
            raise ModelSpecError(f"{place}.model is empty", next_step="write the provider's name of the model")


def resolve(name: str, spec: ModelSpec, environment: Mapping[str, str] | None = None) -> tuple[ResolvedEndpoint, ...]:
    """The endpoints that can be called from this process, as declared.

    Raises:
        ModelNotConfiguredError: there is none; the message names the variables that are missing, never a value.
    """
    environment = os.environ if environment is None else environment
    problems = [_missing(endpoint, environment) for endpoint in spec.endpoints]
    usable = [endpoint for endpoint, problem in zip(spec.endpoints, problems, strict=True) if not problem]
    if not usable:
        reasons = "; ".join(dict.fromkeys(problem for problem in problems if problem))
        raise ModelNotConfiguredError(
            f"the model {name!r} is not configured: {reasons}",
            next_step="set it in the environment and start flyball again",
        )
    return tuple(_resolved(endpoint, environment) for endpoint in usable)


def unavailable_reason(name: str, spec: ModelSpec, environment: Mapping[str, str] | None = None) -> str:
    """Why the model cannot be called from this process; empty when it can."""
    try:
        resolve(name, spec, environment)
    except ModelNotConfiguredError as error:
        return error.message
    return ""


def _missing(endpoint: Endpoint, environment: Mapping[str, str]) -> str:
    """What keeps the endpoint from being called."""
    for value in (endpoint.base_url, endpoint.api_key):
        if _OURS.match(value):
            return f"{value.removeprefix('env:')} is a setting of flyball's own, which is sent nowhere"
        if (match := _REFERENCE.match(value)) and not environment.get(match.group(1)):
            return f"{match.group(1)} is not set"
    if match := _REFERENCE.match(endpoint.base_url):
        problem = _url_problem(environment[match.group(1)])
        return f"{match.group(1)} {problem}" if problem else ""
    return ""


def _resolved(endpoint: Endpoint, environment: Mapping[str, str]) -> ResolvedEndpoint:
    key = _look_up(endpoint.api_key, environment)
    return ResolvedEndpoint(
        provider=endpoint.provider,
        base_url=_look_up(endpoint.base_url, environment).rstrip("/"),
        model=endpoint.model,
        api_key=Secret(key) if key else None,
        weight=endpoint.weight,
    )


def _look_up(value: str, environment: Mapping[str, str]) -> str:
    match = _REFERENCE.match(value)
    return environment[match.group(1)] if match else value


def _url_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"http", "https"} or not host:
        return "is not an http(s) URL"
    if parts.username or parts.password:
        return "has a user or password in it, which would be stored"
    if parts.query or parts.fragment:
        return "has a query or fragment, to which no path can be added"
    return ""
