"""What can go wrong with functions and their variants.

FlyballError
├── NotFoundError
│   └── FunctionNotFoundError      no function of that name in this project
├── InvalidInputError
│   ├── InputMismatchError         the call's input does not fit the function's input schema
│   └── DeclarationError           a variant names something that does not exist, or a kind that is not built yet
├── UnavailableError
│   ├── VariantUnavailableError    the variant cannot run here now (model not configured, index not built)
│   └── RunnerBusyError            too many rules run at once
└── VariantFailedError             the operator's code, or the model behind a prompt, failed
├── VariantTimedOutError       it took longer than its limit
└── OutputMismatchError        the answer does not fit the function's output schema
"""

from flyball.kit.errors import FlyballError, InvalidInputError, NotFoundError, UnavailableError


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


class VariantUnavailableError(UnavailableError):
    """The variant cannot run here now; the reason says what is missing."""

    code = "variant_unavailable"


class RunnerBusyError(UnavailableError):
    """Too many rules run at once in this process."""

    code = "runner_busy"


class VariantFailedError(FlyballError):
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
