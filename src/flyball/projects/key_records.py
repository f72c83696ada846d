"""What a key is: to those who look after it, and to those who check it. No record here holds what could be presented."""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from flyball.kit.addresses import Network, held
from flyball.kit.secrets import Secret

KeyKind: TypeAlias = Literal["service", "personal"]
KEY_PREFIX = "flyball_"  # so that scanners for leaked secrets can find one
ALL = "*"  # in the place of a model's or a function's name


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What narrows a key beyond its permissions.

    Naming models or functions limits calls to what is named; `*` is all of them. Addresses are networks, or single ones.
    """

    models: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


NO_LIMITS = KeyLimits()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """How a program calls, or a person's program in their name. The key itself is shown once, when it is made.

    `prefix` tells keys apart afterwards. `role` is empty where permissions were chosen one by one. A personal key may do
    what it was granted and its member's role gives now, whichever is less. `replaces` is the key whose place this one took;
    one that was `replaced_ns` works on until `expires_ns`. `line` is the id of the first of them: budgets, limits and the ledger
    count all of a line as one.
    """

    id: str
    project: str
    name: str
    kind: KeyKind = "service"
    member: str | None = None
    member_name: str = ""
    prefix: str
    role: str
    permissions: tuple[str, ...]
    models: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    created_by: str
    created_ns: int
    expires_ns: int | None = None
    replaces: str | None = None
    line: str = ""
    replaced_ns: int | None = None
    revoked_ns: int | None = None
    used_ns: int | None = None
    used_from: str = ""

    @property
    def limits(self) -> KeyLimits:
        """What narrows it."""
        return KeyLimits(models=self.models, functions=self.functions, addresses=self.addresses)

    def state(self, now_ns: int) -> Literal["usable", "replaced", "expired", "revoked"]:
        """How it stands. One that was replaced can still be used, for a while."""
        if self.revoked_ns is not None:
            return "revoked"
        if self.expires_ns is not None and now_ns >= self.expires_ns:
            return "expired"
        return "replaced" if self.replaced_ns is not None else "usable"


class ActiveKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as whoever checks it holds it. `hash` is SHA-256 of the whole key; `permissions` are those that count now."""

    hash: bytes
    id: str
    line: str = ""  # the id of the first key of its line
    project: str
    name: str
    permissions: frozenset[str]
    kind: KeyKind = "service"
    member: str = ""  # whose personal key it is
    expires_ns: int | None = None
    models: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def refused(self, now_ns: int, address: str) -> Literal["", "expired", "elsewhere"]:
        """Why it lets nobody in now who calls from there; empty where it does."""
        if self.expires_ns is not None and now_ns >= self.expires_ns:
            return "expired"
        return "elsewhere" if self.networks and not held(self.networks, address) else ""

    @property
    def counted_as(self) -> str:
        """Under which id budgets, limits and the ledger know it: that of its line, which a rotation does not change."""
        return self.line or self.id

    @property
    def is_limited(self) -> bool:
        """Whether it ends some day, or does not call everything from everywhere."""
        return self.expires_ns is not None or bool(self.models or self.functions or self.networks)

    def may_call_model(self, name: str) -> bool:
        """Whether calls with it may name this model."""
        return name in self.models or ALL in self.models or not (self.models or self.functions)

    def may_call_function(self, name: str) -> bool:
        """Whether calls with it may name this function."""
        return name in self.functions or ALL in self.functions or not (self.models or self.functions)


class KeyFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys to list. `text` is part of the name; usable ones, those that have ended, or all; of one member."""

    text: str = ""
    state: Literal["", "usable", "ended"] = ""
    kind: Literal["", "service", "personal"] = ""
    member: str = ""


EVERY_KEY = KeyFilter()


class MadeKey(NamedTuple):
    """A key just made, and its secret, this once."""

    key: Key
    secret: Secret


class RotatedKey(NamedTuple):
    """The key that took another's place, its secret, this once, and the one that works on until it expires."""

    key: Key
    secret: Secret
    old: Key
