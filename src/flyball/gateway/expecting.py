"""How much a call may take, before anybody knows: what is promised to it of every budget and limit. Pure, and cheap.

Input is estimated from its bytes. Output is what the caller allows; where the caller allows anything, what calls of the
same model or function took lately. An estimate that was too low is no loss of money: what was taken is settled, whatever
was promised; it only means that a hard stop comes a call later.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from flyball.ledger.records import Entry
from flyball.llm.dialect import Asked
from flyball.llm.fields import field
from flyball.llm.translation import dialect
from flyball.llm.usage import BYTES_PER_TOKEN
from flyball.models.pricing import nano_prices

from .choose import FunctionRoute, ModelRoute, Route

# Where each dialect says how long an answer may be. None of these names means anything else in another dialect.
_LONGEST_ANSWER = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_GEMINI = ("generationConfig", "maxOutputTokens")
_FIRST_OUTPUT = 1_000  # tokens that are expected of a model that has not answered yet
_FORGETTING = 0.98  # of what was expected, with each call that took less
_MOST_TOKENS = 10_000_000  # of one call; who allows more allows anything


class Worth(NamedTuple):
    """What a call is expected to take. `nano_usd` is 0 where nobody declared prices."""

    tokens: int
    nano_usd: int


class Expectations:
    """What calls took lately, by the name that callers used, in one worker. Bounded: names are those of the snapshot."""

    def __init__(self) -> None:
        self._output: dict[tuple[str, str], float] = {}  # (project, model) -> tokens of output
        self._function: dict[tuple[str, str], tuple[float, float]] = {}  # (project, function) -> tokens, nano-dollars

    def of(self, project: str, route: Route, asked: Asked) -> Worth:
        """What to promise."""
        if isinstance(route, FunctionRoute):
            tokens, nano_usd = self._function.get((project, route.function.name), (0.0, 0.0))
            return Worth(int(tokens) + 1, int(nano_usd) + 1)
        went_in = len(asked.fields.get(dialect(asked.dialect).input_field, b"")) // BYTES_PER_TOKEN + 1
        output = self._output.get((project, route.model.name), _FIRST_OUTPUT)
        comes_out = _allowed(asked, int(output)) * _choices(asked)
        if route.model.prices is None:
            return Worth(went_in + comes_out, 0)
        prices = nano_prices(route.model.prices)
        nano_usd = (went_in * prices.input + comes_out * max(prices.output, prices.reasoning)) // 1_000_000 + 1
        return Worth(went_in + comes_out, nano_usd)

    def learn(self, project: str, route: Route, entries: Sequence[Entry]) -> None:
        """What a call took in the end."""
        if isinstance(route, ModelRoute):
            last = entries[-1]
            output = last.output_tokens + last.reasoning_tokens + last.audio_output_tokens
            name = (project, route.model.name)
            self._output[name] = max(float(output), self._output.get(name, 0.0) * _FORGETTING)
            return
        name = (project, route.function.name)
        tokens, nano_usd = self._function.get(name, (0.0, 0.0))
        took = sum(entry.tokens for entry in entries), sum(entry.nano_usd or 0 for entry in entries)
        self._function[name] = (max(float(took[0]), tokens * _FORGETTING), max(float(took[1]), nano_usd * _FORGETTING))


def _allowed(asked: Asked, expected: int) -> int:
    """The longest answer that the caller allows, else the one that is expected."""
    said: list[Any] = [field(asked.fields, name) for name in _LONGEST_ANSWER if name in asked.fields]
    if _GEMINI[0] in asked.fields:
        config = field(asked.fields, _GEMINI[0])
        said.append(config.get(_GEMINI[1]) if isinstance(config, Mapping) else None)
    counts = [one for one in said if isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= _MOST_TOKENS]
    return max(counts) if counts else expected


def _choices(asked: Asked) -> int:
    """How many answers are asked for at once."""
    if "n" not in asked.fields:
        return 1
    try:
        return max(1, min(msgspec.json.decode(asked.fields["n"], type=int), 128))
    except msgspec.MsgspecError:
        return 1
