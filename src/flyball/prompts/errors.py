"""What can go wrong with prompts.

FlyballError
├── NotFoundError
│   └── PromptNotFoundError      no prompt of that name in this project
└── InvalidInputError
    ├── PromptTemplateError      the file cannot be read as a prompt; `path` and `line` say where
    └── PromptVariableError      rendering lacks a declared variable, or grows beyond its limit
"""

from flyball.kit.errors import InvalidInputError, NotFoundError


class PromptNotFoundError(NotFoundError):
    """No prompt of that name in this project."""

    code = "prompt_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no prompt named {name!r}", next_step="see `flyball prompts list`")


class PromptTemplateError(InvalidInputError):
    """The file cannot be read as a prompt. `line` counts from 1; `detail` is the message without the place."""

    code = "prompt_invalid"

    def __init__(self, path: str, line: int, detail: str, *, next_step: str = "") -> None:
        super().__init__(f"{path}:{line}: {detail}", next_step=next_step or f"correct line {line} of {path}")
        self.path = path
        self.line = line
        self.detail = detail


class PromptVariableError(InvalidInputError):
    """Rendering lacks a declared variable, fails on a value, or grows beyond its limit."""

    code = "prompt_variable"
