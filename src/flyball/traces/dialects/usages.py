"""Tokens in buckets that exclude each other, and money, from what a span tells of them.

The conventions say that cached and audio tokens are a part of the input's and reasoning a part of the output's; some
libraries pass on the counts of providers for which they come on top. The total tells which, where it is told; so does a
part that is larger than its whole. Knows the fields of `tables.py`; knows no attribute.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from flyball.llm.usage import (
    Usage,
    usage_from_anthropic,
    usage_from_bedrock,
    usage_from_gemini,
    usage_from_openai,
    usage_from_responses,
)

from .texts import parsed

Found: TypeAlias = Mapping[str, Any]

_LARGEST = 10**12  # tokens of one call; a larger count is no count
_NANO = 1_000_000_000
_DEAREST = 10**14  # nano-dollars of one call; dearer is no price


# Whether parts come on top of their wholes: "" they do not, "parts" they do, "caches" those of the input do, and a total
# that was told is input and output alone. A total that adds up some other way is believed, save in the last case.
# "parts" is said of tables alone: single counts beside them are another library's, which follows the conventions.
Additive: TypeAlias = Literal["", "parts", "caches"]


class Counts(NamedTuple):
    """What was told, as it was told; None where nothing was."""

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None


def usage_of(found: Found, additive: Additive = "") -> Usage | None:
    """The usage that a span tells; None where it tells none. A table of counts is believed before single ones."""
    for field in _TABLES if "tokens.json" in found or "tokens.metadata" in found else ():
        usage = _from_table(_table(found.get(field)), _TABLES[field], additive)
        if usage is not None:
            return usage
    additive = "" if additive == "parts" else additive
    counts = Counts(*[None if value is None else _count(value) for value in map(found.get, _FIELDS)])
    # Spelled out: every call is asked.
    if (
        "tokens.uncached" in found
        or "tokens.input_details" in found
        or "tokens.output_details" in found
        or "tokens.metadata" in found
    ):
        counts = _with_details(counts, found)
        additive = "" if "tokens.uncached" in found else additive
    if counts.input is None and counts.output is None and counts.total is None:
        return None
    return exclusive(counts, additive)


# Attributes that hold tables, and the names inside under which a provider's own stands.
_TABLES: Mapping[str, tuple[str, ...]] = {"tokens.json": (), "tokens.metadata": ("anthropic", "usage")}
_DETAILS: Mapping[str, str] = {
    "tokens.input_details": "input",
    "tokens.output_details": "output",
    "tokens.uncached": "",
    "tokens.metadata": "",
}


def _from_table(table: Mapping[str, Any], path: tuple[str, ...], additive: Additive) -> Usage | None:
    for name in path:
        table = _table(table.get(name))
    if not table:
        return None
    if path:
        return usage_from_anthropic(table)
    read = next((read for marks, read in _SHAPES if marks <= table.keys()), None)
    usage = read(table) if read is not None else None
    if usage is not None:
        return usage
    counts = _counts_of(table)
    return None if counts[:3] == (None, None, None) else exclusive(counts, additive)


def _with_details(counts: Counts, found: Found) -> Counts:
    """Counts with those of tables beside them, and with the input that was in no cache, where that is told."""
    more: dict[str, int] = {}
    for field, side in _DETAILS.items():
        table = _table(found.get(field))
        more |= _parts_of(_table(table.get("openai")) if field == "tokens.metadata" else table, side)
    whole = counts._replace(**{name: count for name, count in more.items() if getattr(counts, name) is None})
    uncached = _count(found.get("tokens.uncached"))
    if uncached is None:
        return whole
    return whole._replace(input=uncached + sum(part or 0 for part in (whole[3:6])))


def _parts_of(table: Mapping[str, Any], side: str) -> dict[str, int]:
    """The parts of a side that a table of details counts; what is no part of a bucket of ours is left out."""
    counted = ((_bucket(f"{side}_{name}"), _count(value)) for name, value in table.items())
    return {bucket: count for bucket, count in counted if bucket and bucket not in _WHOLE and count is not None}


_WHOLE = frozenset({"input", "output", "total"})
_FIELDS = (
    "tokens.input",
    "tokens.output",
    "tokens.total",
    "tokens.cache_read",
    "tokens.cache_write",
    "tokens.cache_write_1h",
    "tokens.reasoning",
    "tokens.audio_input",
    "tokens.audio_output",
)


def exclusive(counts: Counts, additive: Additive = "") -> Usage:
    """Counts as buckets whose sum is the total that was told, or what its parts add up to where none was.

    Where the total says nothing of it, parts that are larger than their whole come on top of it, and others do as
    `additive` says. Tokens of the total that no count explains were thought, and the usage is marked as estimated.
    """
    if counts.input is not None and counts.output is not None and not any(counts[2:]):
        return Usage(input_tokens=counts.input, output_tokens=counts.output)
    parts = [part or 0 for part in counts[3:]]
    read, write, hour, thought, heard, spoken = parts
    going_in, coming_out = read + write + hour + heard, thought + spoken
    total = None if additive == "caches" else counts.total
    nothing = counts.input is None and counts.output is None
    asked, answered = _both(counts, going_in, coming_out)
    on_top = _on_top(asked, answered, total, (going_in, coming_out), additive)
    whole = asked + answered + on_top[0] * going_in + on_top[1] * coming_out
    rest = max(0, total - whole) if total is not None else 0
    return Usage(
        input_tokens=asked - (0 if on_top[0] else going_in),
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=hour,
        audio_input_tokens=heard,
        output_tokens=answered - (0 if on_top[1] else coming_out),
        reasoning_tokens=thought + rest,
        audio_output_tokens=spoken,
        estimated=nothing or bool(rest),
    )


def _both(counts: Counts, going_in: int, coming_out: int) -> tuple[int, int]:
    """Input and output; the one that was not told is what the total has beside the other, or its parts."""
    asked, answered, total = counts[:3]
    if asked is None:
        asked = max(0, total - (answered or 0)) if total is not None else going_in
    if answered is None:
        answered = max(0, total - asked) if total is not None else coming_out
    return asked, answered


def _on_top(
    asked: int, answered: int, total: int | None, parts: tuple[int, int], additive: Additive
) -> tuple[bool, bool]:
    """Whether the input's parts come on top of it, and the output's."""
    going_in, coming_out = parts
    usual = (bool(additive) or going_in > asked, additive == "parts" or coming_out > answered)
    if total is None or not (going_in or coming_out):
        return usual
    for choice in (usual, (not usual[0], usual[1]), (usual[0], not usual[1]), (not usual[0], not usual[1])):
        possible = (choice[0] or going_in <= asked) and (choice[1] or coming_out <= answered)
        if possible and total == asked + answered + choice[0] * going_in + choice[1] * coming_out:
            return choice
    return usual


# -- a table of counts, as JSON


def _counts_of(table: Mapping[str, Any]) -> Counts:
    """Counts under names that nobody agreed on. Several of one bucket add up, unless one of them is its usual name."""
    sums: dict[str, int] = {}
    for name, value in table.items():
        count = _count(value)
        field = _bucket(name) if count is not None else None
        if count is not None and field is not None:
            sums[field] = sums.get(field, 0) + count
        elif isinstance(value, dict) and "detail" in name:
            sums = _parts_of(value, name) | sums
    if _OF_WRITTEN in table:
        sums["cache_write"] = max(0, sums.get("cache_write", 0) - sums.get("cache_write_1h", 0))
    return Counts(**sums)


_OF_WRITTEN = "cache_creation_input_tokens_above_1hr"  # MLflow's: a part of what was written


def _bucket(name: str) -> str | None:
    name = name.lower()
    return next((ours for ours, signs in _SIGNS if all(sign in name for sign in signs)), None)


# What must be in a name, in order.
_SIGNS = (
    ("total", ("total",)),
    ("cache_write_1h", ("cache", "1h")),
    ("cache_write", ("cache", "creat")),
    ("cache_write", ("cache", "write")),
    ("cache_read", ("cache",)),
    ("reasoning", ("reason",)),
    ("reasoning", ("thought",)),
    ("reasoning", ("thinking",)),
    ("audio_input", ("input", "audio")),
    ("audio_output", ("output", "audio")),
    ("input", ("input",)),
    ("input", ("prompt",)),
    ("output", ("output",)),
    ("output", ("completion",)),
)

_Read: TypeAlias = Callable[[Any], Usage | None]
# By names that only this provider's counts have.
_SHAPES: tuple[tuple[frozenset[str], _Read], ...] = (
    (frozenset({"prompt_tokens_details"}), usage_from_openai),
    (frozenset({"completion_tokens_details"}), usage_from_openai),
    (frozenset({"input_tokens_details"}), usage_from_responses),
    (frozenset({"output_tokens_details", "cache_read_input_tokens"}), usage_from_anthropic),
    (frozenset({"output_tokens_details"}), usage_from_responses),
    (frozenset({"cache_creation"}), usage_from_anthropic),
    (frozenset({"server_tool_use"}), usage_from_anthropic),
    (frozenset({"promptTokenCount"}), usage_from_gemini),
    (frozenset({"inputTokens"}), usage_from_bedrock),
)


# -- money


def tells_money(found: Found) -> bool:
    """Whether a span says anything of what it cost."""
    # Spelled out: every span is asked.
    return (
        "cost.total" in found
        or "cost.input" in found
        or "cost.output" in found
        or "cost.json" in found
        or "cost.details" in found
    )


def told_cost(found: Found) -> int | None:
    """What a span says that it cost, in nano-dollars: the whole, else its parts together. None where it says nothing."""
    if not tells_money(found):
        return None
    known = {field: found[field] for field in _COSTS if field in found}
    table = _table(found.get("cost.json")) or _table(found.get("cost.details"))
    for field, names in _COSTS.items():
        for name in names:
            if name in table:
                known.setdefault(field, table[name])
    whole = _nano(known.get("cost.total"))
    if whole is not None:
        return whole
    # Langfuse's details are parts by any name.
    told = table.values() if "cost.details" in found else [known.get("cost.input"), known.get("cost.output")]
    parts = [part for part in map(_nano, told) if part is not None]
    return sum(parts) if parts else None


_COSTS: Mapping[str, tuple[str, ...]] = {
    "cost.total": ("total_cost", "total", "response_cost"),
    "cost.input": ("input_cost", "input"),
    "cost.output": ("output_cost", "output"),
}


def _nano(value: Any) -> int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _DEAREST / _NANO:
        return None
    return round(value * _NANO)


def _table(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        value = parsed(_as_json(value) if value[:2] == "{'" else value)
    return value if isinstance(value, dict) else {}


def _as_json(text: str) -> str:
    """A table of counts that was written as Python writes it: LangSmith and LiteLLM do."""
    return text.replace("'", '"').replace(": None", ": null").replace(": True", ": true").replace(": False", ": false")


def _count(value: Any) -> int | None:
    """A number of tokens, whichever way it was written."""
    if type(value) is int:
        return value if 0 <= value <= _LARGEST else None
    if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(_LARGEST)):
        return int(value)
    if isinstance(value, float) and 0 <= value <= _LARGEST and value == int(value):
        return int(value)
    return None


def is_count(value: Any) -> bool:
    """Whether a value is a number of tokens as it is."""
    return type(value) is int and 0 <= value <= _LARGEST


def usage_told(gathered: Mapping[str, Any], found: Found) -> dict[str, Any] | None:
    """What is kept of it as it came."""
    if "tokens.json" in found:
        return {**gathered, **_table(found["tokens.json"])} or None
    return dict(gathered) or None
