"""Functions: named tasks with an input and an output schema, done by variants that compete.

A variant is `rules` (the operator's code), `prompt` (a prompt version, a model and passages), later `classifier` and
`chain`. All kinds return the same `Answer`. Verbs live in `functions.service`, `functions.pinning`, `functions.execution`.
"""

from .errors import FunctionNotFoundError, InputMismatchError, VariantFailedError, VariantUnavailableError
from .records import Answer, Citation, Function, LiveRelease, PassageRef, PinnedVariant

__all__ = [
    "Answer",
    "Citation",
    "Function",
    "FunctionNotFoundError",
    "InputMismatchError",
    "LiveRelease",
    "PassageRef",
    "PinnedVariant",
    "VariantFailedError",
    "VariantUnavailableError",
]
