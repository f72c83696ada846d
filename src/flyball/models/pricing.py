"""What a call costs. Money is integers of nano-dollars; a model without prices has an unknown cost, never a guessed 0."""

from functools import lru_cache
from typing import NamedTuple

from flyball.kit.hashing import content_hash, short
from flyball.kit.money import NANO, parse_usd, price_of
from flyball.llm.usage import Usage

from .errors import ModelSpecError
from .records import Prices

_DEAREST = 1_000_000 * NANO  # per million tokens: a dollar a token
_MOST = (
    10**14
)  # nano-dollars of one attempt, 100,000 USD: more is a count that nobody can have used, and sums have to hold many


class NanoPrices(NamedTuple):
    """Nano-dollars per million tokens, bucket by bucket, and the name of these prices."""

    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    cache_write_1h: int
    audio_input: int
    audio_output: int
    version: str


class Cost(NamedTuple):
    """`nano_usd` is None where price or usage is unknown, or the usage senseless; `price_version` names the prices that were used."""

    nano_usd: int | None
    price_version: str


@lru_cache(maxsize=1024)  # every call of a model asks, and prices never change
def nano_prices(prices: Prices) -> NanoPrices:
    """A person's prices as integers; unset ones follow others, as `Prices` says.

    Raises:
        ModelSpecError: a price that is no amount, naming it.
    """
    given, output = _amount("input", prices.input), _amount("output", prices.output)
    cache_read = given if prices.cache_read is None else _amount("cache_read", prices.cache_read)
    cache_write = given if prices.cache_write is None else _amount("cache_write", prices.cache_write)
    amounts = (given, cache_read, cache_write, output, output)
    hour = cache_write if prices.cache_write_1h is None else _amount("cache_write_1h", prices.cache_write_1h)
    heard = given if prices.audio_input is None else _amount("audio_input", prices.audio_input)
    spoken = output if prices.audio_output is None else _amount("audio_output", prices.audio_output)
    rare = (hour, heard, spoken)
    # Prices that follow others are not part of the name: it stays what it was before they could be declared.
    named = amounts if rare == (cache_write, given, output) else (*amounts, *rare)
    return NanoPrices(*amounts, *rare, version="declared:" + short(content_hash(named)))


def cost(usage: Usage | None, prices: Prices | None) -> Cost:
    """The price of one call; unknown where the provider did not say what was used, or nobody declared prices."""
    if prices is None:
        return Cost(None, "")
    table = nano_prices(prices)
    if usage is None:
        return Cost(None, table.version)
    total = (
        price_of(usage.input_tokens, table.input)
        + price_of(usage.cache_read_tokens, table.cache_read)
        + price_of(usage.cache_write_tokens, table.cache_write)
        + price_of(usage.output_tokens, table.output)
        + price_of(usage.reasoning_tokens, table.reasoning)
        + price_of(usage.cache_write_1h_tokens, table.cache_write_1h)
        + price_of(usage.audio_input_tokens, table.audio_input)
        + price_of(usage.audio_output_tokens, table.audio_output)
    )
    return Cost(total if total <= _MOST else None, table.version)


def _amount(name: str, value: str | float) -> int:
    try:
        amount = parse_usd(value)
    except ValueError as error:
        raise _refused(name, str(error)) from None
    if amount > _DEAREST:
        raise _refused(name, f"{value!r:.60} is more than a token can cost")
    return amount


def _refused(name: str, why: str) -> ModelSpecError:
    return ModelSpecError(f"prices.{name}: {why}", next_step="write USD per million tokens, such as 0.15")
