"""References to secrets, as configurations write them, and what looking one up gives. Light: everything imports it."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, cast

from flyball.kit.secrets import Secret

Kind = Literal["env", "file", "cmd", "vault", "secret"]

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
_GRAMMAR: dict[str, re.Pattern[str]] = {
    "env": re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]{0,199})"),
    "file": re.compile(r"(?P<name>/[^\x00-\x1f]{1,1000})"),
    "cmd": re.compile(rf"(?P<name>{NAME})"),
    "vault": re.compile(r"(?P<name>[A-Za-z0-9_.@-]+(?:/[A-Za-z0-9_.@-]+)+)#(?P<field>[A-Za-z0-9_.-]{1,200})"),
    "secret": re.compile(rf"(?P<name>{NAME})"),
}
FORMS = "env:NAME, file:/path, cmd:NAME, vault:path#field or secret:NAME"


class Reference(NamedTuple):
    """What stands for a secret. `field` is for `vault:` alone."""

    kind: Kind
    name: str
    field: str = ""

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.kind}:{self.name}" + (f"#{self.field}" if self.field else "")


class Found(NamedTuple):
    """What a reference stands for. `hosts`: to which it may be sent; None where whoever declares the reference decides."""

    secret: Secret
    hosts: tuple[str, ...] | None = None


class Missing(NamedTuple):
    """Why a reference stands for nothing in this process, naming what to do; never a value."""

    reason: str


LookUp: TypeAlias = Callable[[str], Found | Missing]


def parse(text: str) -> Reference | None:
    """The reference that a text is; None for anything else."""
    kind, colon, rest = text.partition(":")
    grammar = _GRAMMAR.get(kind)
    match = grammar.fullmatch(rest) if colon and grammar else None
    if match is None or _leads_elsewhere(kind, rest):
        return None
    groups = match.groupdict()
    return Reference(cast("Kind", kind), groups["name"], groups.get("field") or "")


def _leads_elsewhere(kind: str, rest: str) -> bool:
    return kind in ("file", "vault") and not {".", ".."}.isdisjoint(rest.partition("#")[0].split("/"))
