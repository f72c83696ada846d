"""What the gateway knows while it answers: one immutable value, replaced as a whole.

Knows no SQL: `load` reads it, `current` keeps it fresh, tests build it by hand.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from flyball.functions.records import LiveRelease, PinnedVariant
from flyball.ledger.cover import Cover
from flyball.ledger.records import Quota
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.records import Prices
from flyball.projects.key_records import ActiveKey


class KnownModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that callers may name. Without endpoints it is not configured, and `reason` says why."""

    name: str
    version: int
    hash: str
    endpoints: tuple[ResolvedEndpoint, ...]
    prices: Prices | None = None
    reason: str = ""
    created_ns: int = 0


class KnownFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function that callers may name. Without a live release nothing serves it."""

    name: str
    input: Mapping[str, Any]
    text_field: str | None = None  # the input's only text field: the last user message can fill it
    live: LiveRelease | None = None
    variants: Mapping[str, PinnedVariant] = MappingProxyType({})  # by hash, those of the live release
    created_ns: int = 0
    guarded: bool = False  # its project is not the operator's: models are called at public and listed addresses alone


class KnownProject(msgspec.Struct, frozen=True, kw_only=True):
    """What one project's callers may name."""

    models: Mapping[str, KnownModel] = MappingProxyType({})
    functions: Mapping[str, KnownFunction] = MappingProxyType({})
    organisation: str = ""
    quotas: Mapping[tuple[str, str], tuple[Quota, ...]] = MappingProxyType({})  # by kind and name of their scope
    # By key, member, name and variant: which of them count a call without tags. Filled by calls, and gone with the snapshot.
    covers: dict[tuple[str, str, str, str], Cover] = msgspec.field(default_factory=dict)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, at one moment. `epoch` counts the snapshots of this process."""

    epoch: int
    keys: Mapping[bytes, ActiveKey]  # by SHA-256 of the key
    projects: Mapping[str, KnownProject]
