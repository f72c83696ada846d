"""The clauses of OTLP/gRPC. Each is told in our words under its section's name."""

from concurrent.futures import ThreadPoolExecutor

import grpc

from .clause import Clause, NotAskedError, need
from .messages import request, response, spans
from .target import Called, Target

# By these a client gives up; by all others it sends the same again.
_FOR_GOOD = frozenset((
    "UNKNOWN", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED",
    "FAILED_PRECONDITION", "UNIMPLEMENTED", "INTERNAL",
))  # fmt: skip
_EXPORTERS = 8
_BEYOND_BYTES = 64 * 1024 * 1024


def _taken(called: Called) -> bytes:
    need(called.code == "OK", f"answered {called.code}: {called.status.message}")
    return called.body


def _export(target: Target, signal: str, _encoding: str) -> None:
    response(signal, "protobuf", _taken(target.call(signal, request(signal, "protobuf"))))


def _no_partial_success(target: Target, signal: str, _encoding: str) -> None:
    is_set, *_ = response(signal, "protobuf", _taken(target.call(signal, request(signal, "protobuf"))))
    need(not is_set, "partial_success is set, and everything was accepted")


def _empty(target: Target, signal: str, _encoding: str) -> None:
    _taken(target.call(signal, b""))


def _gzip(target: Target, signal: str, _encoding: str) -> None:
    _taken(target.call(signal, request(signal, "protobuf"), compression=grpc.Compression.Gzip))


def _half_wrong(target: Target) -> tuple[bool, int, str]:
    called = target.call("traces", spans({}, {"span_id": b""}).SerializeToString())
    return response("traces", "protobuf", _taken(called))


def _partial_success(target: Target, _signal: str, _encoding: str) -> None:
    is_set, rejected, _ = _half_wrong(target)
    if not is_set:
        raise NotAskedError("the endpoint accepts a span without an id")
    need(rejected == 1, f"one span of two has no id, and rejected_spans is {rejected}")


def _says_why(target: Target, _signal: str, _encoding: str) -> None:
    is_set, _, message = _half_wrong(target)
    if not is_set:
        raise NotAskedError("the endpoint accepts a span without an id")
    need(message, "error_message is empty")


def _bad_data(target: Target, signal: str, _encoding: str) -> None:
    called = target.call(signal, b"\xff\xff\xff")
    need(
        called.code in _FOR_GOOD,
        f"what cannot be decoded was answered with {called.code}, after which it is sent again",
    )


def _bad_argument(target: Target, signal: str, _encoding: str) -> None:
    called = target.call(signal, b"\xff\xff\xff")
    need(called.code == "INVALID_ARGUMENT", f"answered {called.code}")


def _stranger(target: Target, signal: str, _encoding: str) -> None:
    if not target.headers:
        raise NotAskedError("the endpoint was given no key to leave out")
    called = target._replace(headers={}).call(signal, request(signal, "protobuf"))
    if called.code == "OK":
        raise NotAskedError("the endpoint takes requests without a key")
    need(called.code in ("UNAUTHENTICATED", "PERMISSION_DENIED"), f"without a key: {called.code}")


def _beyond(target: Target, _signal: str, _encoding: str) -> None:
    body = spans({"name": "x" * _BEYOND_BYTES}).SerializeToString()
    called = target.call("traces", body, compression=grpc.Compression.Gzip)
    if called.code == "OK":
        raise NotAskedError(f"the endpoint takes messages of {_BEYOND_BYTES} bytes")
    details = [detail.type_url for detail in called.status.details]
    repeated = called.code not in (*_FOR_GOOD, "RESOURCE_EXHAUSTED") or any("RetryInfo" in url for url in details)
    need(not repeated, f"answered {called.code} {details}, after which it is sent again")


def _other_service(target: Target, _signal: str, _encoding: str) -> None:
    called = target.method("/opentelemetry.proto.collector.nothing.v1.NothingService/Export", b"")
    need(called.code == "UNIMPLEMENTED", f"a service that there is not was answered with {called.code}")


def _again(target: Target, signal: str, _encoding: str) -> None:
    body = request(signal, "protobuf")
    for _ in range(2):
        _taken(target.call(signal, body))


def _parallel(target: Target, signal: str, _encoding: str) -> None:
    with ThreadPoolExecutor(_EXPORTERS) as pool:
        bodies = [request(signal, "protobuf") for _ in range(_EXPORTERS)]
        for called in pool.map(lambda body: target.call(signal, body), bodies):
            _taken(called)


def _clause(section: str, level: str, says: str, check: object, **only: object) -> Clause:
    found = {"encodings": ("protobuf",)} | only
    return Clause(section, level, says, "grpc", check, **found)  # type: ignore[arg-type] # a table of literals


_SPANS = {"signals": ("traces",)}
CLAUSES: tuple[Clause, ...] = (
    _clause("OTLP/gRPC Response", "must", "a call of the signal's service is answered with its response", _export),
    _clause("OTLP/gRPC", "must", "a message that is gzip is unpacked", _gzip),
    _clause("OTLP/gRPC Full Success", "must", "partial_success is unset", _no_partial_success),
    _clause("OTLP/gRPC Full Success", "should", "a request that carries nothing is a success", _empty),
    _clause("OTLP/gRPC Partial Success", "must", "what is rejected is counted", _partial_success, **_SPANS),
    _clause("OTLP/gRPC Partial Success", "should", "error_message says why", _says_why, **_SPANS),
    _clause("OTLP/gRPC Failures", "must", "what cannot be decoded gets a code after which nobody sends it again", _bad_data),
    _clause("OTLP/gRPC Failures", "should", "that code is INVALID_ARGUMENT", _bad_argument),
    _clause("OTLP/gRPC Failures", "must", "so does a caller who may not send", _stranger),
    _clause("OTLP/gRPC Failures", "must", "what is too large for good is not asked for again", _beyond, **_SPANS),
    _clause("OTLP/gRPC", "must", "a service that there is not is unimplemented", _other_service, **_SPANS),
    _clause("Duplicate Data", "must", "a request that is sent again is a success again", _again),
    _clause("OTLP/gRPC Concurrent Requests", "must", "several calls at once are served", _parallel),
)  # fmt: skip
