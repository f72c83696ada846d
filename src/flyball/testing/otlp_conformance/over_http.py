"""The clauses of OTLP/HTTP. Each is told in our words under its section's name."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from .clause import Clause, NotAskedError, need
from .messages import as_json, request, response, spans, status
from .target import TYPES, Answer, Target

_EXPORTERS = 8


def _taken(answer: Answer) -> None:
    need(answer.status == 200, f"answered {answer.status}: {answer.body[:200]!r}")


def _at_its_path(target: Target, signal: str, encoding: str) -> None:
    _taken(target.post(signal, encoding, request(signal, encoding)))


def _same_type(target: Target, signal: str, encoding: str) -> None:
    said = target.post(signal, encoding, request(signal, encoding)).headers.get("content-type", "").partition(";")[0]
    need(said == TYPES[encoding], f"asked in {TYPES[encoding]}, answered in {said!r}")


def _no_partial_success(target: Target, signal: str, encoding: str) -> None:
    is_set, *_ = response(signal, encoding, target.post(signal, encoding, request(signal, encoding)).body)
    need(not is_set, "partial_success is set, and everything was accepted")


def _empty(target: Target, signal: str, encoding: str) -> None:
    _taken(target.post(signal, encoding, b"{}" if encoding == "json" else b""))


def _gzip(target: Target, signal: str, encoding: str) -> None:
    _taken(target.post(signal, encoding, gzip.compress(request(signal, encoding)), content_encoding="gzip"))


def _half_wrong(target: Target, encoding: str) -> tuple[bool, int, str]:
    if encoding == "json":
        body = json.dumps(as_json("traces", {}, {"spanId": ""})).encode()
    else:
        body = spans({}, {"span_id": b""}).SerializeToString()
    answer = target.post("traces", encoding, body)
    _taken(answer)
    return response("traces", encoding, answer.body)


def _partial_success(target: Target, _signal: str, encoding: str) -> None:
    is_set, rejected, _ = _half_wrong(target, encoding)
    if not is_set:
        raise NotAskedError("the endpoint accepts a span without an id")
    need(rejected == 1, f"one span of two has no id, and rejected_spans is {rejected}")


def _says_why(target: Target, _signal: str, encoding: str) -> None:
    is_set, _, message = _half_wrong(target, encoding)
    if not is_set:
        raise NotAskedError("the endpoint accepts a span without an id")
    need(message, "error_message is empty")


def _bad(target: Target, signal: str, encoding: str) -> Answer:
    return target.post(signal, encoding, b'{"resource' if encoding == "json" else b"\xff\xff\xff")


def _bad_data(target: Target, signal: str, encoding: str) -> None:
    answer = _bad(target, signal, encoding)
    need(answer.status == 400, f"what cannot be decoded was answered with {answer.status}")


def _bad_is_status(target: Target, signal: str, encoding: str) -> None:
    status(_bad(target, signal, encoding), encoding)


def _bad_says_why(target: Target, signal: str, encoding: str) -> None:
    need(status(_bad(target, signal, encoding), encoding), "the Status has no message")


def _bad_request(target: Target, signal: str, encoding: str) -> None:
    answer = _bad(target, signal, encoding)
    if encoding == "json":
        kinds = [detail.get("@type", "") for detail in json.loads(answer.body).get("details", [])]
        need(any(kind.endswith("google.rpc.BadRequest") for kind in kinds), f"the details are {kinds}")
        return
    details = Status.FromString(answer.body).details
    need(any(detail.Is(BadRequest.DESCRIPTOR) for detail in details), "no detail is a BadRequest")


def _stranger(target: Target, signal: str, encoding: str) -> None:
    if not target.headers:
        raise NotAskedError("the endpoint was given no key to leave out")
    headers = {"content-type": TYPES[encoding]}
    answer = target.send("POST", f"/v1/{signal}", request(signal, encoding), headers)
    if answer.status == 200:
        raise NotAskedError("the endpoint takes requests without a key")
    need(answer.status in (401, 403), f"without a key: {answer.status}")
    status(answer, encoding)


def _bomb(target: Target, signal: str, encoding: str) -> None:
    answer = target.post(signal, encoding, gzip.compress(bytes(target.bomb_bytes), 9), content_encoding="gzip")
    need(
        400 <= answer.status < 600,
        f"a body that unpacks to {target.bomb_bytes} bytes was answered with {answer.status}",
    )
    _at_its_path(target, signal, encoding)  # and it is still there


def _bomb_is_413(target: Target, signal: str, encoding: str) -> None:
    answer = target.post(signal, encoding, gzip.compress(bytes(target.bomb_bytes), 9), content_encoding="gzip")
    need(answer.status == 413, f"answered {answer.status}")


def _unknown_json(target: Target, signal: str, _encoding: str) -> None:
    said = as_json(signal, {"fieldOfTheFuture": {"deep": [1, None]}}, unheardOf=[{}])
    answer = target.post(signal, "json", json.dumps(said).encode())
    _taken(answer)
    need(not response(signal, "json", answer.body)[0], "unknown fields led to a partial success")


def _json_span(target: Target, **change: object) -> None:
    answer = target.post("traces", "json", json.dumps(as_json("traces", change)).encode())
    _taken(answer)
    _, rejected, why = response("traces", "json", answer.body)
    need(rejected == 0, f"the span was rejected: {why}")


def _hex_in_capitals(target: Target, _signal: str, _encoding: str) -> None:
    _json_span(target, traceId="5B8EFFF798038103D269B633813FC60C", spanId="EEE19B7EC3C1B174")


def _integers(target: Target, _signal: str, _encoding: str) -> None:
    _json_span(target, startTimeUnixNano=1544712660000000000, endTimeUnixNano="1544712661000000000")


def _enums(target: Target, _signal: str, _encoding: str) -> None:
    _json_span(target, kind=2, status={"code": 2, "message": "failed"})


def _unknown_protobuf(target: Target, signal: str, _encoding: str) -> None:
    unknown = b"\x9a\x3f\x03new"  # field 1011, of a length
    answer = target.post(signal, "protobuf", request(signal, "protobuf") + unknown)
    _taken(answer)
    need(not response(signal, "protobuf", answer.body)[0], "an unknown field led to a partial success")


def _again(target: Target, signal: str, encoding: str) -> None:
    body = request(signal, encoding)
    for _ in range(2):
        _taken(target.post(signal, encoding, body))


def _parallel(target: Target, signal: str, encoding: str) -> None:
    with ThreadPoolExecutor(_EXPORTERS) as pool:
        bodies = [request(signal, encoding) for _ in range(_EXPORTERS)]
        for answer in pool.map(lambda body: target.post(signal, encoding, body), bodies):
            _taken(answer)


def _clause(section: str, level: str, says: str, check: object, **only: object) -> Clause:
    return Clause(section, level, says, "http", check, **only)  # type: ignore[arg-type] # a table of literals


_SPANS = {"signals": ("traces",)}
_JSON = {"encodings": ("json",)}
CLAUSES: tuple[Clause, ...] = (
    _clause("OTLP/HTTP Request", "must", "a POST to the signal's default path is taken, and answered with 200", _at_its_path),
    _clause("OTLP/HTTP Request", "must", "a body that says it is gzip is unpacked", _gzip),
    _clause("OTLP/HTTP Request", "must", "what is read of a body is limited, after unpacking too, and the server lives on", _bomb),
    _clause("OTLP/HTTP Request", "should", "a body beyond the limit is answered with 413", _bomb_is_413),
    _clause("OTLP/HTTP Response", "must", "the answer has the Content-Type of the request", _same_type),
    _clause("OTLP/HTTP Full Success", "must", "the body is the signal's response, and partial_success is unset", _no_partial_success),
    _clause("OTLP/HTTP Full Success", "should", "a request that carries nothing is a success", _empty),
    _clause("OTLP/HTTP Partial Success", "must", "what is rejected is counted, under 200", _partial_success, **_SPANS),
    _clause("OTLP/HTTP Partial Success", "should", "error_message says why", _says_why, **_SPANS),
    _clause("OTLP/HTTP Bad Data", "must", "what cannot be decoded is answered with 400", _bad_data),
    _clause("OTLP/HTTP Bad Data", "should", "the details of the Status hold a BadRequest", _bad_request),
    _clause("OTLP/HTTP Failures", "must", "a refusal's body is a Status in the request's encoding", _bad_is_status),
    _clause("OTLP/HTTP Failures", "must", "so is that of a caller who may not send", _stranger),
    _clause("OTLP/HTTP Failures", "should", "the Status says what is wrong", _bad_says_why),
    _clause("JSON Protobuf Encoding", "must", "fields with unknown names are ignored", _unknown_json, **_JSON),
    _clause("JSON Protobuf Encoding", "must", "ids are hexadecimal, in capitals too", _hex_in_capitals, **_SPANS, **_JSON),
    _clause("JSON Protobuf Encoding", "must", "64-bit integers are taken as strings and as numbers", _integers, **_SPANS, **_JSON),
    _clause("JSON Protobuf Encoding", "must", "enums are taken as numbers", _enums, **_SPANS, **_JSON),
    _clause("Future Versions", "must", "unknown fields of a message are ignored", _unknown_protobuf, encodings=("protobuf",)),
    _clause("Duplicate Data", "must", "a request that is sent again is a success again", _again),
    _clause("OTLP/HTTP Concurrent Requests", "must", "several connections at once are served", _parallel),
)  # fmt: skip
