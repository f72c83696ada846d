"""What an application sets: where spans go, which of them, and who sees their texts first.

Read from the environment when the SDK is first used; `configure` says otherwise. Knows names and values; does nothing.
"""

import os
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, TypedDict, Unpack

import msgspec

from flyball.kit.errors import InvalidInputError
from flyball.kit.secrets import Secret

OFFLINE_BYTES = 256 * 1024 * 1024


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How this process observes.

    Attributes:
        server: the address of flyball. FLYBALL_SERVER.
        key: an API key with the permission traces.write. FLYBALL_KEY.
        sample: the share of traces that are recorded, 0 to 1. FLYBALL_SAMPLE.
        sample_errors: whether a span that fails is recorded though its trace is not.
        mask: sees every text before it leaves the process or reaches the disk, and returns what may.
        offline: a folder where spans wait while flyball is away, also beyond the process; none unless given. FLYBALL_OFFLINE.
        offline_bytes: the most that may lie there. FLYBALL_OFFLINE_BYTES.
        service: what the application is called. FLYBALL_SERVICE, else OTEL_SERVICE_NAME.
        environment: where it runs, such as production. FLYBALL_ENVIRONMENT.
    """

    server: str = ""
    key: Secret = Secret("")
    sample: float = 1.0
    sample_errors: bool = True
    mask: Callable[[str], str] | None = None
    offline: str = ""
    offline_bytes: int = OFFLINE_BYTES
    service: str = ""
    environment: str = ""


class Told(TypedDict, total=False):
    """What `configure` takes; see `Options`."""

    server: str
    key: str
    sample: float
    sample_errors: bool
    mask: Callable[[str], str] | None
    offline: str
    offline_bytes: int
    service: str
    environment: str


def from_environment(environment: Mapping[str, str] = os.environ) -> tuple[Options, list[str]]:
    """What the environment says, and complaints about what cannot be understood, which then counts as not said."""
    complaints: list[str] = []
    numbers: dict[str, Any] = {}
    for name, kind in (("sample", float), ("offline_bytes", int)):
        variable = f"FLYBALL_{name.upper()}"
        if text := environment.get(variable, ""):
            try:
                numbers |= checked(**{name: kind(text)})  # type: ignore[arg-type] # one of two names
            except (ValueError, InvalidInputError):
                complaints.append(f"{variable}={text!r:.100} is not understood, and does not count")
    return Options(
        server=environment.get("FLYBALL_SERVER", ""),
        key=Secret(environment.get("FLYBALL_KEY", "")),
        offline=environment.get("FLYBALL_OFFLINE", ""),
        service=environment.get("FLYBALL_SERVICE", "") or environment.get("OTEL_SERVICE_NAME", ""),
        environment=environment.get("FLYBALL_ENVIRONMENT", ""),
        **numbers,
    ), complaints


def checked(**told: Unpack[Told]) -> dict[str, Any]:
    """The options' own values of these, if they make sense.

    Raises:
        InvalidInputError: a value that makes none, or a name that there is not.
    """
    values: dict[str, Any] = dict(told)
    for name, value in values.items():
        if name not in Options.__struct_fields__:
            raise InvalidInputError(
                f"configure knows no {name!r}", next_step=f"give one of {', '.join(Options.__struct_fields__)}"
            )
        kind = _KINDS.get(name)
        if kind is not None and not isinstance(value, kind):
            raise InvalidInputError(f"{name} is a {type(value).__name__}", next_step=f"give a {kind.__name__}")
    if not 0 <= values.get("sample", 1) <= 1:
        raise InvalidInputError(
            f"sample={values['sample']!r:.100} is no share of traces", next_step="give a number from 0 to 1"
        )
    if values.get("offline_bytes", 1) < 1:
        raise InvalidInputError(f"offline_bytes={values['offline_bytes']} is too few", next_step="give at least 1")
    if values.get("mask") is not None and not callable(values["mask"]):
        raise InvalidInputError(
            f"mask={values['mask']!r:.100} cannot be called", next_step="give a function from text to text"
        )
    return values if "key" not in values else values | {"key": Secret(values["key"])}


_KINDS: dict[str, type] = {
    "server": str,
    "key": str,
    "sample": Real,
    "offline": str,
    "offline_bytes": int,
    "service": str,
    "environment": str,
}
