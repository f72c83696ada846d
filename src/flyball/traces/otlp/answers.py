"""What OTLP answers: a signal's response, or a google.rpc.Status, in the encoding in which the request came.

Knows both encodings and the codes; knows neither HTTP's machinery nor gRPC's.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from google.protobuf import duration_pb2
from google.protobuf.json_format import MessageToJson
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from flyball.kit.errors import FlyballError

from .errors import OtlpMediaTypeError
from .json_writing import json_of
from .signals import SIGNALS, Signal, said

ContentType = Literal["application/x-protobuf", "application/json"]
PROTOBUF: ContentType = "application/x-protobuf"
JSON: ContentType = "application/json"

_INTERNAL, _INVALID = 13, 3
# The code of gRPC for a status of HTTP: which of them a client repeats is decided by it.
_CODES: Mapping[int, int] = {
    400: _INVALID,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    413: _INVALID,
    415: _INVALID,
    429: 8,
    503: 14,
}


class Taken(NamedTuple):
    """How many records were accepted and how many not, and why not, or a warning ("": nothing to say)."""

    accepted: int
    rejected: int
    message: str


def content_type_of(header: str) -> ContentType:
    """The encoding that a Content-Type names. Raises OtlpMediaTypeError for one that OTLP does not have."""
    said_type = header.partition(";")[0].strip().lower()
    if said_type == PROTOBUF:
        return PROTOBUF
    if said_type == JSON:
        return JSON
    raise OtlpMediaTypeError(
        f"OTLP has no Content-Type {said_type or 'of nothing'!r:.80}", next_step=f"send {PROTOBUF} or {JSON}"
    )


def response_of(signal: Signal, taken: Taken) -> Any:
    """The signal's response; `partial_success` is set where something is to be said, and only there."""
    messages = SIGNALS[signal]
    response = messages.response()
    if taken.rejected or taken.message:
        setattr(response.partial_success, messages.rejected, taken.rejected)
        response.partial_success.error_message = taken.message
    return response


def status_of(error: FlyballError) -> Any:
    """An error as google.rpc.Status, with what is wrong with the data, or the time after which to try again, where there is one."""
    status = Status(code=code_of(error), message=str(error))
    if error.status == 400:
        violation = BadRequest.FieldViolation(field="body", description=error.message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if error.retry_after is not None:
        delay = duration_pb2.Duration(seconds=max(1, round(error.retry_after)))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


def code_of(error: FlyballError) -> int:
    """An error's code of gRPC."""
    return _CODES.get(error.status, _INTERNAL if error.status >= 500 else _INVALID)


def encoded(message: Any, content_type: ContentType) -> bytes:
    """A message's body."""
    if content_type == PROTOBUF:
        return said(message)
    if isinstance(message, Status):  # its details are of any type, which protobuf's own JSON knows how to tell
        return str(MessageToJson(message, indent=None)).encode()
    return json_of(message)
