"""What can be wrong with a whole OTLP request. What is wrong with single records is told in `partial_success`.

FlyballError
├── InvalidInputError (400)
│   ├── OtlpMalformedError        the body is not the signal's request in the encoding that it says
│   ├── OtlpCompressionError      the body is not compressed as it says
│   ├── OtlpTooLargeError         413: unpacked, it is larger than what is read
│   └── OtlpMediaTypeError        415: a Content-Type or Content-Encoding that OTLP does not have
└── UnavailableError (503)
    ├── IngestBehindError         429: more waits to be stored than may wait
    ├── IngestDiskFullError       the disk has no room for more
    ├── IngestDiskAwayError       the disk does not take the request for another reason
    └── IngestUnansweredError     nobody says in time whether a request is kept
"""

from flyball.kit.errors import InvalidInputError, UnavailableError


class OtlpMalformedError(InvalidInputError):
    """The body is not the signal's request in the encoding that it says."""

    code = "otlp_malformed"


class OtlpCompressionError(InvalidInputError):
    """The body is not compressed as its Content-Encoding says."""

    code = "otlp_compression"


class OtlpTooLargeError(InvalidInputError):
    """The body is, unpacked, larger than what is read of one."""

    status = 413
    code = "otlp_too_large"


class OtlpMediaTypeError(InvalidInputError):
    """A Content-Type or Content-Encoding that OTLP does not have."""

    status = 415
    code = "otlp_media_type"


class IngestBehindError(UnavailableError):
    """More is acknowledged and not yet stored than may wait."""

    status = 429
    code = "ingest_behind"
    retry_after = 5


class IngestDiskFullError(UnavailableError):
    """The disk has no room for more."""

    code = "ingest_disk_full"
    retry_after = 30


class IngestDiskAwayError(UnavailableError):
    """The disk does not take the request, and not for want of room."""

    code = "ingest_disk_away"
    retry_after = 30


class IngestUnansweredError(UnavailableError):
    """Neither PostgreSQL nor the disk says in time whether the request is kept; sent again, it is kept once."""

    code = "ingest_unanswered"
    retry_after = 5
