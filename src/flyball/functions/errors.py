"""What can go wrong with functions and their variants.

FlyballError
├── NotFoundError
│   └── FunctionNotFoundError      no function of that name in this project
├── InvalidInputError
│   ├── InputMismatchError         the call's input does not fit the function's input schema
│   └── DeclarationError           a variant names something that does not exist, or a kind that is not built yet
├── ForbiddenError
│   └── CodeNotAllowedError        new rules code from someone who may not bring any
└── VariantError                   an execution ended without an answer; `spans` is what it did until then
    ├── VariantUnavailableError    the variant cannot run here now (model not configured, index not built)
    ├── RunnerBusyError            too many rules run at once
    └── VariantFailedError         the operator's code, or the model behind a prompt, failed
        ├── VariantTimedOutError   it took longer than its limit
        └── OutputMismatchError    the answer does not fit the function's output schema
"""

from flyball.kit.errors import FlyballError, ForbiddenError, InvalidInputError, NotFoundError
from flyball.traces.records import Span


class FunctionNotFoundError(NotFoundError):
    """No function of that name in this project."""

    code = "function_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no function named {name!r}", next_step="see `flyball functions list`")


class InputMismatchError(InvalidInputError):
    """The call's input does not fit the function's input schema."""

    code = "input_mismatch"


class DeclarationError(InvalidInputError):
    """A function is declared in a way that cannot work."""

    code = "declaration_invalid"


class CodeNotAllowedError(ForbiddenError):
    """New rules code from someone who may not bring any."""

    code = "code_not_allowed"


class VariantError(FlyballError):
    """An execution ended without an answer. `spans` is what it did until then, its own span included."""

    spans: tuple[Span, ...] = ()


class VariantUnavailableError(VariantError):
    """The variant cannot run here now; the reason says what is missing."""

    status = 503
    code = "variant_unavailable"


class RunnerBusyError(VariantError):
    """Too many rules run at once in this process."""

    status = 503
    code = "runner_busy"


class VariantFailedError(VariantError):
    """The operator's code, or the model behind a prompt, failed. The message names function, variant and place."""

    status = 502
    code = "variant_failed"


class VariantTimedOutError(VariantFailedError):
    """The variant took longer than its limit."""

    status = 504
    code = "variant_timed_out"


class OutputMismatchError(VariantFailedError):
    """The answer does not fit the function's output schema."""

    code = "output_mismatch"
