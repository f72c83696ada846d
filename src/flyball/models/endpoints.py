"""What a model's references stand for in this process, and whether they may be sent where the model is called.

The only place where an endpoint's secret appears. A model of which no endpoint can be resolved is not configured: a state with a
reason, not an error of its declaration.
"""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from flyball.infra.secrets.environment import is_ours
from flyball.infra.secrets.files import read_small
from flyball.infra.secrets.hosts import host_of
from flyball.infra.secrets.references import FORMS, LookUp, Missing, parse
from flyball.kit.secrets import Secret
from flyball.llm.catalog import UnknownVendorError, names, vendor
from flyball.llm.providers.protocol import Upstream

from .errors import ModelNotConfiguredError, ModelSpecError
from .records import Endpoint, ModelSpec

_PLAIN_VALUE = re.compile(r"[A-Za-z0-9._:-]{0,200}")
_SECRETS = ("access_key_id", "api_key", "secret_access_key", "session_token", "service_account")
_PLAIN = ("dialect", "region", "project", "location", "api_version", "organization")


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
    found = (getattr(endpoint, name) for name in _SECRETS)
    return tuple(value for value in found if value)


def references_in(spec: ModelSpec) -> frozenset[str]:
    """Everything of a declaration that has to be looked up before it can be called."""
    addresses = (endpoint.base_url for endpoint in spec.endpoints)
    secrets = (reference for endpoint in spec.endpoints for reference in references_of(endpoint))
    return frozenset(text for text in (*addresses, *secrets) if parse(text) is not None)


def uses_of(spec: ModelSpec) -> frozenset[tuple[str, str]]:
    """The stored secrets that a declaration names, each with the host to which it would go; empty where a variable says it."""
    return frozenset(
        (found.name, host_of(address_of(endpoint)))
        for endpoint in spec.endpoints
        for text in references_of(endpoint)
        if (found := parse(text)) and found.kind == "secret"
    )


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
    for field in _SECRETS:
        if (value := getattr(endpoint, field)) and parse(value) is None:
            raise ModelSpecError(
                f"{place}.{field} is written out; keys are never stored in a configuration",
                next_step=f"write a reference to it: {FORMS} (`flyball secrets set NAME` keeps one)",
            )
    url, reference = endpoint.base_url, parse(endpoint.base_url)
    if url and not (reference and reference.kind == "env") and (problem := _url_problem(url)):
        raise ModelSpecError(f"{place}.base_url {problem}", next_step="write http(s)://host[:port]/path, or env:NAME")
    for field in ("base_url", *_SECRETS):
        if (found := parse(getattr(endpoint, field))) and found.kind == "env" and is_ours(found.name):
            raise ModelSpecError(
                f"{place}.{field} names a variable of flyball's own settings, which are sent nowhere",
                next_step="put the model's address or key into a variable of its own",
            )


def resolve(name: str, spec: ModelSpec, look_up: LookUp, *, guarded: bool = False) -> tuple[ResolvedEndpoint, ...]:
    """The endpoints that can be called from this process, as declared. `guarded`: the project is not the operator's.

    Raises:
        ModelNotConfiguredError: there is none; the message names what is missing, never a value.
    """
    found: list[ResolvedEndpoint] = []
    problems: list[str] = []
    for endpoint in spec.endpoints:
        try:
            found.append(_resolved(endpoint, look_up, guarded=guarded))
        except _MissingError as missing:
            problems.append(str(missing))
    if not found:
        raise ModelNotConfiguredError(
            f"the model {name!r} is not configured: {'; '.join(dict.fromkeys(problems))}",
            next_step="make it available where flyball runs, then look at `flyball models list`",
        )
    return tuple(found)


def unavailable_reason(name: str, spec: ModelSpec, look_up: LookUp) -> str:
    """Why the model cannot be called from this process; empty when it can."""
    try:
        resolve(name, spec, look_up)
    except ModelNotConfiguredError as error:
        return error.message
    return ""


class _MissingError(Exception):
    """What keeps an endpoint from being called."""


def _resolved(endpoint: Endpoint, look_up: LookUp, *, guarded: bool) -> ResolvedEndpoint:
    address = _address(endpoint, look_up)
    access_key_id = _secret(endpoint.access_key_id, address, look_up)
    upstream = Upstream(
        vendor=endpoint.provider,
        base_url=address,
        model=endpoint.model,
        api_key=_secret(endpoint.api_key, address, look_up),
        access_key_id=access_key_id.reveal() if access_key_id else "",
        secret_access_key=_secret(endpoint.secret_access_key, address, look_up),
        session_token=_secret(endpoint.session_token, address, look_up),
        service_account=_account(endpoint, address, look_up),
        guarded=guarded,
        guarded_tokens=endpoint.service_account.startswith("secret:"),  # kept by a member, and it names an address
        **{name: getattr(endpoint, name) for name in _PLAIN},
    )
    return ResolvedEndpoint(
        endpoint.provider, upstream.base_url, endpoint.model, upstream.api_key, endpoint.weight, upstream
    )


def _address(endpoint: Endpoint, look_up: LookUp) -> str:
    address = address_of(endpoint)
    reference = parse(address)
    if reference is None or reference.kind != "env":
        return address.rstrip("/")
    found = look_up(address)
    if isinstance(found, Missing):
        raise _MissingError(found.reason)
    address = found.secret.reveal()
    if problem := _url_problem(address):
        raise _MissingError(f"{reference.name} {problem}")
    return address.rstrip("/")


def _secret(text: str, address: str, look_up: LookUp) -> Secret | None:
    """What a reference stands for, if it may be sent to that address."""
    if not text:
        return None
    found = look_up(text)
    if isinstance(found, Missing):
        raise _MissingError(found.reason)
    host = host_of(address)
    if found.hosts is not None and host not in found.hosts:
        name = text.removeprefix("secret:")
        raise _MissingError(
            f"the secret {name} is bound to {', '.join(found.hosts)}, and this endpoint is at {host}; "
            f"`flyball secrets set {name} --host {host}` binds it anew, with its value"
        )
    return found.secret


def _account(endpoint: Endpoint, address: str, look_up: LookUp) -> Secret | None:
    """A service account's key. A variable may hold the path of a file with it, as Google's own clients have it."""
    found = _secret(endpoint.service_account, address, look_up)
    reference = parse(endpoint.service_account)
    if found is None or reference is None or found.reveal().lstrip().startswith("{"):
        return found
    if reference.kind == "env" and (text := _read(found.reveal())):  # a path that the operator wrote, nobody else
        return Secret(text)
    raise _MissingError(f"{reference.name} is neither a service account's key nor a file that can be read")


def _read(path: str) -> str:
    try:
        return read_small(Path(path)) if path.startswith("/") else ""
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
