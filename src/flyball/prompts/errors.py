"""What can go wrong with prompts.

FlyballError
├── NotFoundError
│   ├── PromptNotFoundError      no prompt of that name in this project
│   └── LabelNotFoundError       no version of the prompt has that label
└── InvalidInputError
    ├── LabelInvalidError        a name that no label can have, or one that is kept by flyball
    ├── PromptTemplateError      the file cannot be read as a prompt; `path` and `line` say where
    └── PromptVariableError      rendering lacks a declared variable, or grows beyond its limit
"""

from flyball.kit.errors import InvalidInputError, NotFoundError


class PromptNotFoundError(NotFoundError):
    """No prompt of that name in this project."""

    code = "prompt_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no prompt named {name!r}", next_step="see `flyball prompts list`")


class LabelNotFoundError(NotFoundError):
    """No version of the prompt has that label."""

    code = "prompt_label_not_found"

    def __init__(self, name: str, label: str) -> None:
        super().__init__(
            f"no version of the prompt {name!r:.120} has the label {label!r:.80}",
            next_step=f"see `flyball prompts show {name:.120}`, or put it there with `flyball prompts label`",
        )


class LabelInvalidError(InvalidInputError):
    """A name that no label can have, or one that flyball gives itself."""

    code = "prompt_label_invalid"


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
