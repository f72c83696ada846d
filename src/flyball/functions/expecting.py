"""What a run of a variant may take, before any has ended: its prompt and input as estimated, and the longest answer that it allows. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from flyball.llm.usage import tokens_of
from flyball.models.pricing import nano_prices
from flyball.models.records import ModelSpec

from .records import PinnedVariant

_FIRST_OUTPUT = 1_000  # tokens that are expected where a variant allows any length


class Expected(NamedTuple):
    """`nano_usd` is 0 where nobody declared prices."""

    tokens: int
    nano_usd: int


def before_any(variant: PinnedVariant, input_: Mapping[str, Any]) -> Expected:
    """What to promise to the first run of a variant; nothing where it asks no model."""
    if not variant.spec.get("model"):
        return Expected(0, 0)
    longest = variant.spec["parameters"].get("max_tokens")
    comes_out = longest if isinstance(longest, int) and longest > 0 else _FIRST_OUTPUT
    goes_in = tokens_of(variant.spec["prompt"]["source"].encode()) + tokens_of(msgspec.json.encode(input_)) + 1
    prices = msgspec.convert(variant.spec["model"]["spec"], ModelSpec).prices
    if prices is None:
        return Expected(goes_in + comes_out, 0)
    table = nano_prices(prices)
    return Expected(goes_in + comes_out, (goes_in * table.input + comes_out * table.output) // 1_000_000 + 1)
