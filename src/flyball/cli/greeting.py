"""What a start does once everything runs: applies the configuration and makes the first sign-in link. Speaks to the admin socket alone."""

from pathlib import Path
from typing import NamedTuple

from flyball.configuration.bundling import bundle
from flyball.kit.layout import Layout
from flyball.settings import Settings
from flyball.surface.console import ControlClient


class Greeting(NamedTuple):
    """What was configured, in words, and the address that signs the administrator in, once; each may be empty."""

    configured: str
    sign_in: str


def greet(settings: Settings, layout: Layout, address: str) -> Greeting:
    """Apply `--config`, and make a sign-in link while nobody has a password.

    Raises:
        FlyballError: the configuration was refused; the start fails with its reason.
    """
    client = ControlClient.local(layout)
    configured = _apply(client, Path(settings.config)) if settings.config else ""
    members = client.get("/api/members")["items"]
    has_password = any(member["has_password"] for member in members)
    return Greeting(configured, "" if has_password else address + client.post("/api/sign-in-links")["path"])


def _apply(client: ControlClient, path: Path) -> str:
    changes = client.post("/api/configuration/apply", bundle(path), timeout=300)["items"]
    changed = [f"{change['kind']} {change['name']}" for change in changes if change["action"] in ("create", "update")]
    return f"{path}: {', '.join(changed) or 'nothing differs'}"
