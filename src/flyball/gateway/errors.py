"""Why a call is refused before anybody was asked. Worded for people; `answer` puts them into the caller's dialect.

FlyballError
└── GatewayError
    ├── MissingKeyError          401  no key was sent
    ├── UnknownKeyError          401  a key that is unknown, revoked or expired, or may not be used from where the call comes
    ├── KeyNotAllowedError       403  a key that may not call models
    ├── BodyTooLargeError        413
    ├── BodyTooDeepError         400
    ├── BodyTooWideError         400
    ├── ClientGoneError          499  the client left while its body was read; nobody sees this one
    ├── UnknownPathError         404
    ├── WrongMethodError         405
    ├── ModelNotFoundError       404  neither a model nor a function has this name, or the key may not call it
    ├── NoLiveReleaseError       409  the function exists and nothing serves it
    ├── WrongInputError          400  a function's input that is none
    ├── OverloadedError          503  more calls or bytes in flight than this worker takes
    ├── NotReadyError            503  the snapshot has not been read yet
    ├── RunnerAwayError          503  the runner that executes functions does not answer
    ├── VariantRefusedError           a variant has no answer: the runner's words, status and code
    └── OwnKeyRefusedError       502  an upstream refused the key that this server has for it
"""

from flyball.kit.errors import FlyballError


class GatewayError(FlyballError):
    """A call that the gateway refuses. `param` names the field that is wrong; `retry_after` when to come back."""

    status = 400
    param: str | None = None
    retry_after: int | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()  # in the caller's dialect, besides those that every refusal has


class MissingKeyError(GatewayError):
    """No key was sent."""

    status = 401
    code = "missing_api_key"

    def __init__(self) -> None:
        super().__init__(
            "no API key was sent",
            next_step="send `Authorization: Bearer <key>`; `flyball keys create NAME` makes a key",
        )


class UnknownKeyError(GatewayError):
    """A key that does not let the caller in: unknown, revoked, expired, or used from elsewhere. Which, is not told."""

    status = 401
    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__(
            "this API key is not valid",
            next_step="`flyball keys list` says how a key stands, `flyball audit list --action keys.refuse` why it was refused",
        )


class KeyNotAllowedError(GatewayError):
    """A key that may not call models."""

    status = 403
    code = "key_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the key {name!r} may not call models", next_step="make one that may with `flyball keys create NAME`"
        )


class BodyTooLargeError(GatewayError):
    """The body is larger than this server reads."""

    status = 413
    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the body is larger than the limit of {limit} bytes",
            next_step="send less, or raise FLYBALL_MAX_BODY_BYTES",
        )


class BodyTooDeepError(GatewayError):
    """The body nests deeper than this server parses."""

    code = "body_too_deep"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the body nests deeper than {limit} levels", next_step="flatten it, or raise FLYBALL_MAX_JSON_DEPTH"
        )


class BodyTooWideError(GatewayError):
    """The body has more fields than any request needs."""

    code = "body_too_wide"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the body has more than {limit} fields", next_step="put your data into `messages` or `flyball.input`"
        )


class ClientGoneError(GatewayError):
    """The client left before its request was whole."""

    status = 499
    code = "client_closed_request"

    def __init__(self) -> None:
        super().__init__("the client left before its request was complete")


class UnknownPathError(GatewayError):
    """A path under /v1 that is not spoken here."""

    status = 404
    code = "unknown_path"

    def __init__(self, path: str, known: str) -> None:
        super().__init__(f"there is nothing at {path:.200}", next_step=f"this server speaks {known}")


class WrongMethodError(GatewayError):
    """A path that exists, asked with a method that it does not take."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(f"{path} does not take {method:.20}", next_step=f"use {allowed}")
        self.allowed = allowed


class ModelNotFoundError(GatewayError):
    """Neither a model nor a function has this name, or the key may not call what has: a caller cannot tell which.

    OpenAI answers both alike as well (404, `model_not_found`); a 403 would tell that the name exists.
    """

    status = 404
    code = "model_not_found"
    param = "model"

    def __init__(self, name: str, near: tuple[str, ...], *, limited: bool = False) -> None:
        hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        who = ", or this key may not call it" if limited else ""
        super().__init__(
            f"there is no model or function named {name[:100]!r}{who}{hint}",
            next_step="GET /v1/models lists what this key may call; `flyball apply` adds to it",
        )


class NoLiveReleaseError(GatewayError):
    """The function exists and no release of it is live."""

    status = 409
    code = "no_live_release"
    param = "model"

    def __init__(self, function: str) -> None:
        super().__init__(
            f"the function {function!r} has no live release",
            next_step=f"propose one with `flyball release propose {function}`, have it approved, then `flyball release serve`",
        )


class WrongInputError(GatewayError):
    """A function's input is missing or is none."""

    code = "invalid_input"

    def __init__(self, message: str, *, next_step: str = "", param: str = "flyball.input") -> None:
        super().__init__(message, next_step=next_step)
        self.param = param


class OverloadedError(GatewayError):
    """This worker has as much in flight as it takes."""

    status = 503
    code = "overloaded"
    retry_after = 1

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this worker has {what} in flight, which is its limit", next_step="try again in a second, or add workers"
        )


class NotReadyError(GatewayError):
    """The gateway has just started and has not read what it serves."""

    status = 503
    code = "not_ready"
    retry_after = 1

    def __init__(self) -> None:
        super().__init__(
            "the gateway is starting, or has not reached PostgreSQL yet", next_step="try again in a second"
        )


class RunnerAwayError(GatewayError):
    """The runner, which executes functions, does not answer."""

    status = 503
    code = "runner_away"
    retry_after = 1

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the runner that executes functions does not answer ({reason})",
            next_step="try again in a second; `flyball doctor` says what is wrong if it stays away",
        )


class VariantRefusedError(GatewayError):
    """Why a variant has no answer: the runner's words, status and code."""

    def __init__(self, status: int, code: str, message: str, next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.status = status
        self.code = code


class OwnKeyRefusedError(GatewayError):
    """An upstream refused the key that this server has for it."""

    status = 502
    code = "upstream_key_refused"

    def __init__(self, upstream_status: int) -> None:
        super().__init__(
            f"the upstream refused this server's own key (status {upstream_status})",
            next_step="check the api_key of the model's endpoints",
        )
