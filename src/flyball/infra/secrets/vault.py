"""`vault:path#field`: a field of a secret in HashiCorp Vault or OpenBao, version 2 of the key-value engine, over HTTP.

Reads `VAULT_ADDR` (or `BAO_ADDR`), `VAULT_TOKEN` or the file `VAULT_TOKEN_FILE`, `VAULT_NAMESPACE` and `VAULT_CACERT`, as
their own clients do. Blocking: call it in a thread. Follows no redirect, so that the token goes to that address alone.
"""

import http.client
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from flyball.kit.secrets import Secret

from .files import read_small
from .references import Found, Missing

_SECONDS = 10.0
_LARGEST = 1024 * 1024


class _Inner(msgspec.Struct):
    data: dict[str, object] | None = None


class _Answer(msgspec.Struct):
    data: _Inner | None = None


def token_file(environment: Mapping[str, str]) -> str:
    """The file in which an agent keeps the token; empty where none is named."""
    return environment.get("VAULT_TOKEN_FILE", "")


def from_vault(path: str, field: str, environment: Mapping[str, str] | None = None) -> Found | Missing:
    """One field. The path is `mount/path`, or `mount/data/path` where the mount itself has slashes."""
    environment = os.environ if environment is None else environment
    address = environment.get("BAO_ADDR") or environment.get("VAULT_ADDR", "")
    if not address:
        return Missing(f"vault:{path} cannot be looked up: VAULT_ADDR is not set")
    token = _token(environment)
    if not token:
        return Missing(f"vault:{path} cannot be looked up: neither VAULT_TOKEN nor VAULT_TOKEN_FILE holds a token")
    try:
        status, body = _get(address, _target(path), token, environment)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Missing(f"Vault at {_shown(address)} cannot be asked for {path} ({type(error).__name__})")
    return _field(path, field, status, body)


def _token(environment: Mapping[str, str]) -> str:
    given = environment.get("BAO_TOKEN") or environment.get("VAULT_TOKEN", "")
    if given or not token_file(environment):
        return given
    try:
        return read_small(Path(token_file(environment)))
    except OSError:
        return ""


def _target(path: str) -> str:
    mount, data, rest = path.partition("/data/")
    if not data:
        mount, _, rest = path.partition("/")
    return f"/v1/{quote(mount)}/data/{quote(rest)}"


def _get(address: str, target: str, token: str, environment: Mapping[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=environment.get("VAULT_CACERT") or None)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=_SECONDS, context=context
        )
    elif parts.scheme == "http":
        connection = http.client.HTTPConnection(host, parts.port, timeout=_SECONDS)
    else:
        raise ValueError("neither http nor https")
    headers = {"X-Vault-Token": token, "X-Vault-Request": "true", "Accept": "application/json"}
    if namespace := environment.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = namespace
    try:
        connection.request("GET", parts.path.rstrip("/") + target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_LARGEST)
    finally:
        connection.close()


def _field(path: str, field: str, status: int, body: bytes) -> Found | Missing:
    if status != 200:
        why = {
            403: "the token may not read it",
            404: "there is nothing, or its newest version is deleted",
            503: "it is sealed",
        }
        redirected = "it redirects; name the active node in VAULT_ADDR" if 300 <= status < 400 else f"status {status}"
        return Missing(f"Vault does not give {path}: {why.get(status, redirected)}")
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Missing(f"Vault's answer for {path} is none of the key-value engine, version 2")
    fields = (answer.data.data if answer.data else None) or {}
    value = fields.get(field)
    if not isinstance(value, str) or not value.strip():
        return Missing(f"Vault's {path} has no field {field} with a text")
    return Found(Secret(value.strip()))


def _shown(address: str) -> str:
    parts = urlsplit(address)
    return parts.hostname or "VAULT_ADDR"
