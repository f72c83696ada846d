"""How much a call may take, before anybody knows: what is promised to it of every budget and limit. Pure, and cheap.

Input is estimated from its bytes. Output is what the caller allows; where the caller allows anything, what calls of the
same model or function took lately. An estimate that was too low is no loss of money: what was taken is settled, whatever
was promised; it only means that a hard stop comes a call later.
"""

from collections.abc import Mapping, Sequence

import msgspec

from flyball.functions.expecting import before_any
from flyball.ledger.cover import Cover
from flyball.ledger.records import MOST, Entry, Quota
from flyball.llm.dialect import Asked
from flyball.llm.fields import decoded
from flyball.llm.translation import dialect
from flyball.llm.usage import tokens_of
from flyball.models.pricing import nano_prices

from .choose import FunctionRoute, ModelRoute, Route

# Where each dialect says how long an answer may be. None of these names means anything else in another dialect.
_LONGEST_ANSWER = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_GEMINI = ("generationConfig", "maxOutputTokens")
_SAY_HOW_LONG = frozenset({*_LONGEST_ANSWER, _GEMINI[0]})
_FIRST_OUTPUT = 1_000  # tokens that are expected of a model that has not answered yet
_FORGETTING = 0.98  # of what was expected, with each call that took less
_MOST_TOKENS = 10_000_000  # of one call; who allows more allows anything
_ONE_EACH = frozenset({"requests", "parallel"})  # units of which a call takes one
_GUESS = 8  # of a quota at most this part is promised to what is guessed alone: one long answer refuses nobody for good


class Worth(msgspec.Struct, frozen=True, gc=False):
    """What a call is expected to take. `nano_usd` is 0 where nobody declared prices.

    What is guessed of it comes from other calls, and is no more than a guess: nobody asked for so much.
    """

    tokens: int
    nano_usd: int
    guessed_tokens: int = 0
    guessed_nano_usd: int = 0

    def amounts(self, cover: Cover) -> tuple[int, ...]:
        """How much to promise it of each quota."""
        tokens, nano_usd = self.tokens, self.nano_usd
        too_much_guessed = (
            self.guessed_tokens * _GUESS > cover.least_tokens or self.guessed_nano_usd * _GUESS > cover.least_nano_usd
        )
        if too_much_guessed or tokens > MOST or nano_usd > MOST:
            return tuple([self._amount(quota) for quota in cover.quotas])
        return cover.by_unit({"requests": 1, "parallel": 1, "tokens": tokens, "nano_usd": nano_usd})

    def _amount(self, quota: Quota) -> int:
        if quota.unit in _ONE_EACH:
            return 1
        if quota.unit == "nano_usd":
            whole, guessed = self.nano_usd, self.guessed_nano_usd
        else:
            whole, guessed = self.tokens, self.guessed_tokens
        if guessed > (part := quota.amount // _GUESS):
            whole -= guessed - part
        return whole if whole <= MOST else MOST + 1  # which never fits


class Expectations:
    """What calls took lately, by the name that callers used, in one worker. Bounded: names are those of the snapshot."""

    def __init__(self) -> None:
        self._output: dict[tuple[str, str], float] = {}  # (project, model) -> tokens of output
        self._function: dict[tuple[str, str], tuple[float, float]] = {}  # (project, function) -> tokens, nano-dollars

    def of(self, project: str, route: Route, asked: Asked) -> Worth:
        """What to promise."""
        if isinstance(route, FunctionRoute):
            known = self._function.get((project, route.function.name))
            tokens, nano_usd = before_any(route.variant, route.input) if known is None else known
            return Worth(int(tokens) + 1, int(nano_usd) + 1, int(tokens), int(nano_usd))
        model = route.model
        went_in = tokens_of(asked.fields.get(dialect(asked.dialect).input_field, b"")) + 1
        if (allowed := _allowed(asked)) is None:
            comes_out = guessed = int(self._output.get((project, model.name), _FIRST_OUTPUT))
        else:
            comes_out, guessed = allowed, 0
        if "n" in asked.fields:
            choices = _choices(asked)
            comes_out, guessed = comes_out * choices, guessed * choices
        if model.prices is None:
            return Worth(went_in + comes_out, 0, guessed)
        prices = nano_prices(model.prices)
        dearest = max(prices.output, prices.reasoning)
        nano_usd = (went_in * prices.input + comes_out * dearest) // 1_000_000 + 1
        return Worth(went_in + comes_out, nano_usd, guessed, guessed and guessed * dearest // 1_000_000)

    def learn(self, project: str, route: Route, entries: Sequence[Entry]) -> None:
        """What a call took in the end."""
        if isinstance(route, ModelRoute):
            last = entries[-1]
            output = last.output_tokens + last.reasoning_tokens + last.audio_output_tokens
            name = (project, route.model.name)
            self._output[name] = max(output, self._output.get(name, 0.0) * _FORGETTING)
            return
        name = (project, route.function.name)
        tokens, nano_usd = self._function.get(name, (0.0, 0.0))
        took = sum(entry.tokens for entry in entries), sum(entry.nano_usd or 0 for entry in entries)
        self._function[name] = (max(float(took[0]), tokens * _FORGETTING), max(float(took[1]), nano_usd * _FORGETTING))


def _allowed(asked: Asked) -> int | None:
    """The longest answer that the caller allows; None: any."""
    longest: int | None = None
    for name in _SAY_HOW_LONG.intersection(asked.fields):
        said = decoded(asked.fields[name], name)
        if name == _GEMINI[0]:
            said = said.get(_GEMINI[1]) if isinstance(said, Mapping) else None
        if type(said) is int and 0 <= said <= _MOST_TOKENS and (longest is None or said > longest):
            longest = said
    return longest


def _choices(asked: Asked) -> int:
    """How many answers are asked for at once."""
    try:
        return max(1, min(msgspec.json.decode(asked.fields["n"], type=int), 128))
    except msgspec.MsgspecError:
        return 1
