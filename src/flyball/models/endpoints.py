"""What a model's references, `env:NAME` and `file:/path`, stand for in this process. The only place where an endpoint's secret appears.

A model of which no endpoint can be resolved is not configured: a state with a reason, not an error of its declaration.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from flyball.kit.secrets import Secret
from flyball.llm.catalog import UnknownVendorError, names, vendor
from flyball.llm.providers.protocol import Upstream

from .errors import ModelNotConfiguredError, ModelSpecError
from .records import Endpoint, ModelSpec

_REFERENCE = re.compile(r"^env:([A-Za-z_][A-Za-z0-9_]*)$")
_FILE = re.compile(r"^file:(/.+)$")  # for secrets alone
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9._:-]{0,200}")
_SECRETS = ("api_key", "secret_access_key", "session_token", "service_account")
_REFERENCES = ("base_url", "access_key_id", *_SECRETS)
_PLAIN = ("dialect", "region", "project", "location", "api_version", "organization")
_OURS = re.compile(r"^env:FLYBALL_", re.IGNORECASE)  # the address of our own database, for one


class ResolvedEndpoint(NamedTuple):
    """An endpoint that can be called. Its secrets cannot be printed or serialised by accident."""

    provider: str
    base_url: str
    model: str
    api_key: Secret | None
    weight: float
    upstream: Upstream | None = None


def upstream_of(endpoint: ResolvedEndpoint) -> Upstream:
    """The endpoint as providers know it."""
    return endpoint.upstream or Upstream(
        vendor=endpoint.provider, base_url=endpoint.base_url, model=endpoint.model, api_key=endpoint.api_key
    )


def address_of(endpoint: Endpoint) -> str:
    """Where the endpoint is called: its own address, or the catalog's with its region, location and project put in."""
    return endpoint.base_url or vendor(endpoint.provider).address(endpoint)


def references_of(endpoint: Endpoint) -> tuple[str, ...]:
    """The secrets that are sent there, as they are declared."""
    found = (getattr(endpoint, name) for name in ("access_key_id", *_SECRETS))
    return tuple(value for value in found if value)


def check(name: str, spec: ModelSpec) -> None:
    """Prove a declaration sound, whatever the environment holds.

    Raises:
        ModelSpecError: a key written out, a setting of ours, a URL with a password in it, or one that is no URL. The
            value is never repeated.
    """
    for number, endpoint in enumerate(spec.endpoints):
        _check_one(f"models.{name}.endpoints[{number}]", endpoint)


def _check_one(place: str, endpoint: Endpoint) -> None:
    try:
        known = vendor(endpoint.provider)
    except UnknownVendorError as error:
        near = ", ".join(get_close_matches(endpoint.provider, names(), n=3))
        raise ModelSpecError(
            f"{place}.provider: {error.message}" + (f"; did you mean {near}?" if near else ""),
            next_step=error.next_step,
        ) from None
    if not endpoint.model:
        raise ModelSpecError(f"{place}.model is empty", next_step="write the provider's name of the model")
    for field in known.needs:
        if not any(getattr(endpoint, name) for name in field.split("|")):
            missing = field.replace("|", f" or {place}.")
            raise ModelSpecError(f"{place}.{missing} is missing", next_step=f"{known.title} needs it; see {known.docs}")
    if endpoint.dialect and endpoint.dialect not in known.dialects:
        raise ModelSpecError(
            f"{place}.dialect: {known.title} does not speak {endpoint.dialect!r}",
            next_step=f"write one of {', '.join(known.dialects)}",
        )
    _check_references(place, endpoint)
    for field in _PLAIN:
        if not _PLAIN_VALUE.fullmatch(getattr(endpoint, field)):
            raise ModelSpecError(
                f"{place}.{field} has characters that neither an address nor a header has",
                next_step="write letters, digits and . _ : -",
            )


def _check_references(place: str, endpoint: Endpoint) -> None:
    """No secret is written out, none of ours is sent away, and the address is one."""
    for field in ("access_key_id", *_SECRETS):
        if (value := getattr(endpoint, field)) and not (_REFERENCE.match(value) or _FILE.match(value)):
            raise ModelSpecError(
                f"{place}.{field} is written out; keys are never stored",
                next_step="put the key into the environment and write env:NAME, or into a file and write file:/path",
            )
    url = endpoint.base_url
    if url and not _REFERENCE.match(url) and (problem := _url_problem(url)):
        raise ModelSpecError(f"{place}.base_url {problem}", next_step="write http(s)://host[:port]/path, or env:NAME")
    for field in _REFERENCES:
        if _OURS.match(getattr(endpoint, field)):
            raise ModelSpecError(
                f"{place}.{field} names a variable of flyball's own settings, which are sent nowhere",
                next_step="put the model's address or key into a variable of its own",
            )


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
    for field in _REFERENCES:
        value = getattr(endpoint, field)
        if _OURS.match(value):
            return f"{value.removeprefix('env:')} is a setting of flyball's own, which is sent nowhere"
        if (match := _REFERENCE.match(value)) and not environment.get(match.group(1)):
            return f"{match.group(1)} is not set"
        if (match := _FILE.match(value)) and not _read(match.group(1)):
            return f"{match.group(1)} cannot be read, or is empty"
    if match := _REFERENCE.match(endpoint.base_url):
        problem = _url_problem(environment[match.group(1)])
        return f"{match.group(1)} {problem}" if problem else ""
    return _account_problem(endpoint, environment)


def _account_problem(endpoint: Endpoint, environment: Mapping[str, str]) -> str:
    if not endpoint.service_account or _account(endpoint, environment):
        return ""
    return f"{endpoint.service_account.removeprefix('env:')} is neither a service account's key nor a file that can be read"


def _resolved(endpoint: Endpoint, environment: Mapping[str, str]) -> ResolvedEndpoint:
    address = _look_up(address_of(endpoint), environment).rstrip("/")
    upstream = Upstream(
        vendor=endpoint.provider,
        base_url=address,
        model=endpoint.model,
        api_key=_secret(endpoint.api_key, environment),
        access_key_id=_look_up(endpoint.access_key_id, environment),
        secret_access_key=_secret(endpoint.secret_access_key, environment),
        session_token=_secret(endpoint.session_token, environment),
        service_account=_account(endpoint, environment),
        **{name: getattr(endpoint, name) for name in _PLAIN},
    )
    return ResolvedEndpoint(
        endpoint.provider, upstream.base_url, endpoint.model, upstream.api_key, endpoint.weight, upstream
    )


def _secret(value: str, environment: Mapping[str, str]) -> Secret | None:
    found = _look_up(value, environment)
    return Secret(found) if found else None


def _account(endpoint: Endpoint, environment: Mapping[str, str]) -> Secret | None:
    """A service account's key. Its variable may hold the path of a file with it, as Google's own clients have it."""
    found = _look_up(endpoint.service_account, environment)
    if found and not found.lstrip().startswith("{"):
        found = _read(found)
    return Secret(found) if found else None


def _look_up(value: str, environment: Mapping[str, str]) -> str:
    if match := _REFERENCE.match(value):
        return environment[match.group(1)]
    return _read(match.group(1)) if (match := _FILE.match(value)) else value


def _read(path: str) -> str:
    """What a file says, without the line's end; empty where there is none."""
    try:
        return Path(path).read_text(errors="replace").strip() if Path(path).is_file() else ""
    except (OSError, ValueError):
        return ""


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
