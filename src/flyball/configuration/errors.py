"""What can go wrong with a flyball.yaml.

FlyballError
├── InvalidInputError
│   └── ConfigurationError      the file says something that cannot be; `problems` tells where, line by line
└── ConflictError
    └── ExportError             what is there cannot be written as one set of files
"""

from collections.abc import Sequence

from flyball.kit.errors import ConflictError, InvalidInputError

from .records import Problem

MOST_PROBLEMS = 20


class ConfigurationError(InvalidInputError):
    """Everything that is wrong with the file and those it names, each with its place."""

    code = "configuration_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        told = [str(problem) for problem in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            told.append(f"and {len(problems) - MOST_PROBLEMS} more")
        message = told[0] if len(told) == 1 else f"{len(problems)} problems:\n  " + "\n  ".join(told)
        next_step = next((problem.next_step for problem in problems if problem.next_step), "")
        super().__init__(message, next_step=next_step or "correct the file, then run `flyball diff`")
        self.problems = tuple(problems)


class ExportError(ConflictError):
    """What is there cannot be written as one set of files."""

    code = "export_conflict"
