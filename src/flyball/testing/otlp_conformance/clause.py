"""A clause of the specification, and how an endpoint stood up to it. Knows no transport."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from .target import Target

Level = Literal["must", "should"]


class NotMetError(Exception):
    """The endpoint does otherwise; says what."""


class NotAskedError(Exception):
    """The endpoint gives no occasion to ask, or was not given what it takes; says why."""


class Clause(NamedTuple):
    """What a section asks, over which transport, for which signals and encodings, and how to find out."""

    section: str
    level: Level
    says: str
    transport: Literal["http", "grpc"]
    check: Callable[[Target, str, str], None]  # the endpoint, a signal, an encoding
    signals: tuple[str, ...] = ("traces", "logs", "metrics")
    encodings: tuple[str, ...] = ("protobuf", "json")


class Outcome(NamedTuple):
    """How one clause came out for one signal in one encoding; `why` is empty where it was met."""

    clause: Clause
    signal: str
    encoding: str
    state: Literal["met", "not met", "not asked"]
    why: str = ""


def need(met: object, why: str) -> None:
    """Raise NotMetError unless it is so."""
    if not met:
        raise NotMetError(why)
