"""What a start does once everything runs: applies the configuration and makes the first sign-in link. Speaks to the admin socket alone."""

from typing import NamedTuple

from flyball.kit.layout import Layout
from flyball.surface.console import ControlClient


class Greeting(NamedTuple):
    """Lines to print, and the address that signs the administrator in, once; empty where a password exists."""

    lines: tuple[str, ...]
    sign_in: str


def greet(layout: Layout, address: str) -> Greeting:
    """Make a sign-in link while nobody has a password."""
    client = ControlClient.local(layout)
    members = client.get("/api/members")["items"]
    sign_in = ""
    if not any(member["has_password"] for member in members):
        sign_in = address + client.post("/api/sign-in-links")["path"]
    return Greeting((), sign_in)
