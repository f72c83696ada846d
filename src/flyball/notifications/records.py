"""What a receiver, a notice and a notification are. Knows no store and no wire."""

from typing import Any, Literal, TypeAlias

import msgspec

from flyball.kit.secrets import hiding

Kind: TypeAlias = Literal["webhook", "e-mail"]
State: TypeAlias = Literal["waiting", "delivered", "given_up"]


@hiding("address")
class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is told. `project` None: of what counts every project of the organisation. `home` has its secret."""

    id: str
    organisation: str
    project: str | None
    home: str
    address: str  # https://... or mailto:...; what stands behind a webhook's host is often a password
    secret: str  # a reference; empty for e-mail
    created_ns: int


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell. `about` names what it is about: one receiver is told of it once. `data` is for programs."""

    kind: str
    about: str
    subject: str
    text: str
    data: dict[str, Any] = {}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way to one receiver. Sent again it is the same, `id` and all: by that a receiver knows it."""

    id: str
    kind: str
    at_ns: int
    organisation: str
    project: str | None
    subject: str
    text: str
    data: dict[str, Any]


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that this process tries to deliver now; `tries` counts this one."""

    receiver: Receiver
    message: Message
    tries: int


class ShownReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver as people see it: of a webhook the host, and a mark by which two of one host differ.

    `delivered`, `waiting` and `given_up` count what it was sent lately; `error` says why the newest that is not delivered is not.
    """

    id: str
    kind: Kind
    address: str
    secret: str
    organisation_wide: bool
    created_ns: int
    delivered: int = 0
    waiting: int = 0
    given_up: int = 0
    error: str = ""
    notes: tuple[str, ...] = ()


class ShownNotification(msgspec.Struct, frozen=True, kw_only=True):
    """What one receiver was told, or is to be. `next_ns`: when it is tried next, where it waits."""

    id: str
    receiver: str
    address: str
    subject: str
    state: State
    created_ns: int
    tries: int
    next_ns: int | None
    ended_ns: int | None
    error: str
