"""What a source yields: a row to keep, or a refusal. Knows neither files nor the lake."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from flyball.datasets.records import DEFAULT_SPLIT, Refusal


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A row as its source sees it. `source` is what it is cited as; `location`, where it was found, is the same unless given."""

    row_id: str
    title: str
    text: str
    source: str
    licence: str
    data: dict[str, Any] = {}
    split: str = DEFAULT_SPLIT
    location: str = ""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the source as a whole, for the version's card."""

    name: str
    value: Any


Collected: TypeAlias = Iterator[Found | Refusal | Fact]
