"""Which traces are recorded: decided at their first span by their id alone, so that every process decides alike.

OpenTelemetry's consistent probability sampling: the last 56 bits of the trace id, which W3C's second level calls random,
against a threshold that `tracestate` carries on as `ot=th:...`. Knows numbers; knows no span.
"""

import re

_BITS = 56
_DIGITS = _BITS // 4
_WHOLE = 1 << _BITS
_THRESHOLD = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,]|$)")


def threshold(rate: float) -> int:
    """What the random part of a trace id must reach to be recorded: 0 for every trace, 2**56 for none."""
    return _WHOLE - round(min(1.0, max(0.0, rate)) * _WHOLE)


def recorded(trace_id: str, least: int) -> bool:
    """Whether a trace is among the recorded ones."""
    return int(trace_id[-_DIGITS:], 16) >= least


def tracestate(least: int) -> str:
    """What tells other processes by what threshold a trace was chosen; empty where all or none are recorded."""
    if least <= 0 or least >= _WHOLE:
        return ""
    return f"ot=th:{least:0{_DIGITS}x}".rstrip("0")


def told_of(tracestate: str, *, recorded: bool) -> dict[str, str | float]:
    """What a span says of how it was chosen: means over sampled spans are biased without it."""
    if not recorded:
        return {"flyball.sampled_by": "error"}
    found = _THRESHOLD.search(tracestate)
    if found is None:
        return {}
    return {"flyball.sample_rate": 1 - int(found[1].ljust(_DIGITS, "0"), 16) / _WHOLE}
