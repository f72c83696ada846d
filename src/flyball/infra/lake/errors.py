"""What can go wrong with tables.

FlyballError
├── UnavailableError
│   ├── LakeAwayError              the tables' folder cannot be written or read (a full disk, say)
│   ├── QuestionTookTooLongError   the question was stopped at its deadline
│   └── QuestionsBusyError         as many questions as may be are being answered
├── InvalidInputError
│   ├── LakeSchemaError            rows do not fit the table's columns
│   └── QuestionError              the SQL is not understood or not allowed
└── NotFoundError
    └── LakeVersionError           the table has no such version, or it is no longer kept
"""

from flyball.kit.errors import InvalidInputError, NotFoundError, UnavailableError


class LakeAwayError(UnavailableError):
    """The tables' folder cannot be written or read; nothing of the append is visible."""

    code = "lake_away"


class LakeSchemaError(InvalidInputError):
    """Rows do not fit the table's columns."""

    code = "lake_schema"


class LakeVersionError(NotFoundError):
    """The table has no such version, or its files are no longer kept."""

    code = "lake_version"


class QuestionError(InvalidInputError):
    """The SQL is not understood, or does what a question may not."""

    code = "question_refused"


class QuestionTookTooLongError(UnavailableError):
    """The question was stopped at its deadline."""

    code = "question_took_too_long"


class QuestionsBusyError(UnavailableError):
    """As many questions as may be are being answered."""

    code = "questions_busy"
