"""What can go wrong with traces and scores. What can go wrong with questions is drawn in `infra.lake.errors`.

FlyballError
├── NotFoundError
│   ├── TraceNotFoundError      no span of this trace is recorded in the project
│   ├── MetricNotFoundError     no point of this metric was told in the time that is asked for
│   ├── PayloadNotFoundError    the span has no such payload, or its blob is gone
│   ├── AsideNotFoundError      nothing of this id is set aside
│   └── BodyGoneError           the file of a request that waits is not there, or not whole
├── InvalidInputError
│   ├── SpanRefusedError        a span or a score breaks its record's rules
│   ├── RetentionInvalidError   no number of days to keep
│   └── ErasureInvalidError     there can be no such trace, session or user
├── ForbiddenError
│   └── ReferenceRefusedError   a span refers to content in a place from which none is fetched
└── UnavailableError
    ├── ErasureTooEarlyError    what was sent before still waits in the inbox
    ├── FlushHeadMissingError   the database lost the number of the last batch
    └── ReferenceAwayError      a span refers to content that cannot be read where it lies
"""

from flyball.kit.errors import ForbiddenError, InvalidInputError, NotFoundError, UnavailableError


class TraceNotFoundError(NotFoundError):
    """No span of this trace is recorded in the project."""

    code = "trace_not_found"


class MetricNotFoundError(NotFoundError):
    """No point of this metric was told in the time that is asked for."""

    code = "metric_not_found"


class PayloadNotFoundError(NotFoundError):
    """The span has no such payload, or its blob is gone."""

    code = "payload_not_found"


class AsideNotFoundError(NotFoundError):
    """Nothing of this id is set aside, or it cannot be tried again."""

    code = "aside_not_found"


class BodyGoneError(NotFoundError):
    """The file of a request that waits is not there, or not whole."""

    code = "body_gone"


class SpanRefusedError(InvalidInputError):
    """A span or a score breaks its record's rules."""

    code = "span_refused"


class RetentionInvalidError(InvalidInputError):
    """No number of days to keep."""

    code = "retention_invalid"


class ErasureInvalidError(InvalidInputError):
    """There can be no such trace, session or user."""

    code = "erasure_invalid"


class ErasureTooEarlyError(UnavailableError):
    """What was sent before still waits in the inbox, and would come back after the erasure."""

    code = "erasure_too_early"


class FlushHeadMissingError(UnavailableError):
    """The database lost the number of the last batch."""

    code = "flush_head_missing"


class ReferenceRefusedError(ForbiddenError):
    """A span refers to content in a place from which none is fetched."""

    code = "reference_refused"


class ReferenceAwayError(UnavailableError):
    """A span refers to content that cannot be read where it lies."""

    code = "reference_away"
