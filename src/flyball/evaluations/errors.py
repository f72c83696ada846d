"""What can go wrong with evaluations.

FlyballError
├── RunStoppedError                a budget or limit is used up: the run goes on where it stopped when it is continued
├── NotFoundError
│   ├── EvaluationNotFoundError    no evaluation of that name in this project
│   └── ReportNotFoundError        no report of that id in this project
├── InvalidInputError
│   └── EvaluationSpecError        a declaration that names an unknown scorer, metric or baseline, or an impossible margin
└── ConflictError
    ├── NotToContinueError         a run that cannot be continued: another evaluation's, or one that has not failed
    ├── NothingToEvaluateError     the dataset version has no rows, or too few to compare
    ├── BaselineUnavailableError   the baseline cannot run here now, so nothing can be compared with it
    └── NotComparableError         two reports that share no variant or no metric
"""

from flyball.kit.errors import ConflictError, FlyballError, InvalidInputError, NotFoundError


class RunStoppedError(FlyballError):
    """A budget or limit that counts what a run asks of models has not enough left."""

    status = 429
    code = "quota_reached"


class EvaluationNotFoundError(NotFoundError):
    """No evaluation of that name in this project."""

    code = "evaluation_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no evaluation named {name!r}", next_step="see `flyball eval list`")


class ReportNotFoundError(NotFoundError):
    """No report of that id in this project."""

    code = "report_not_found"

    def __init__(self, report_id: str) -> None:
        super().__init__(
            f"there is no evaluation report {report_id!r}",
            next_step="see `flyball eval show NAME`, which lists reports",
        )


class EvaluationSpecError(InvalidInputError):
    """An evaluation is declared in a way that cannot work."""

    code = "evaluation_invalid"


class NotToContinueError(ConflictError):
    """The run cannot be continued by another."""

    code = "not_to_continue"


class NothingToEvaluateError(ConflictError):
    """The dataset version has no rows."""

    code = "nothing_to_evaluate"


class BaselineUnavailableError(ConflictError):
    """The baseline cannot run here now."""

    code = "baseline_unavailable"


class NotComparableError(ConflictError):
    """Two reports that share no variant or no metric."""

    code = "not_comparable"
