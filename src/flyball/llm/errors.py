"""How a call to a provider goes wrong.

FlyballError
├── InvalidInputError
│   ├── InvalidBodyError         a request that is not what its dialect asks for; names the field
│   └── CannotCarryError         a request that the model's provider cannot be asked in its own dialect
└── UpstreamError                what a provider did to us; says whether another attempt may help
    ├── UpstreamAwayError        no connection: refused, unknown host, TLS
    ├── UpstreamTimeoutError     it was silent for too long, or the deadline passed
    ├── UpstreamCutError         the connection ended, or the answer made no sense, before it was complete
    └── UpstreamRefusedError     it answered with an error status, or with an error in the body of a 200
"""

from flyball.kit.errors import FlyballError, InvalidInputError


class InvalidBodyError(InvalidInputError):
    """The body is not what this dialect asks for. `param` names the field, as a path from the top."""

    code = "invalid_body"

    def __init__(self, message: str, *, param: str | None = None, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.param = param


class CannotCarryError(InvalidInputError):
    """The request asks for something that the provider behind the model cannot be asked for. `param` names the field."""

    code = "cannot_carry"

    def __init__(self, message: str, *, param: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.param = param


class UpstreamError(FlyballError):
    """A provider could not answer."""

    status = 502
    code = "upstream_error"
    retryable = True


class UpstreamAwayError(UpstreamError):
    """The provider could not be reached."""

    code = "upstream_unreachable"


class UpstreamTimeoutError(UpstreamError):
    """The provider was silent for too long."""

    status = 504
    code = "upstream_timeout"


class UpstreamCutError(UpstreamError):
    """The provider's answer ended before it was complete, or could not be understood."""

    code = "upstream_cut"


class UpstreamRefusedError(UpstreamError):
    """The provider answered with an error. Carries its status, its body and how long it asks us to wait.

    `dialect` is that of the body, empty where nobody knows; `upstream_code` the provider's own word for what went wrong.
    """

    code = "upstream_refused"

    def __init__(
        self,
        message: str,
        *,
        upstream_status: int,
        body: bytes = b"",
        retry_after: float | None = None,
        retryable: bool = False,
        next_step: str = "",
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.upstream_status = upstream_status
        self.body = body
        self.retry_after = retry_after
        self.retryable = retryable
        self.dialect = ""
        self.upstream_code = ""
