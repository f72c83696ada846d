"""What can go wrong with traces and scores. What can go wrong with questions is drawn in `infra.lake.errors`.

FlyballError
├── NotFoundError
│   ├── TraceNotFoundError      no span of this trace is recorded in the project
│   └── PayloadNotFoundError    the span has no such payload, or its blob is gone
├── InvalidInputError
│   └── SpanRefusedError        a span or a score breaks its record's rules
└── UnavailableError
    └── FlushHeadMissingError   the database lost the number of the last batch
"""

from flyball.kit.errors import InvalidInputError, NotFoundError, UnavailableError


class TraceNotFoundError(NotFoundError):
    """No span of this trace is recorded in the project."""

    code = "trace_not_found"


class PayloadNotFoundError(NotFoundError):
    """The span has no such payload, or its blob is gone."""

    code = "payload_not_found"


class SpanRefusedError(InvalidInputError):
    """A span or a score breaks its record's rules."""

    code = "span_refused"


class FlushHeadMissingError(UnavailableError):
    """The database lost the number of the last batch."""

    code = "flush_head_missing"
