"""The endpoint that is judged, and how it is asked: HTTP and gRPC, plainly. Knows no clause."""

import http.client
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import grpc
from google.rpc.status_pb2 import Status

TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
SERVICES = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_SECONDS = 60


class Answer(NamedTuple):
    """What came back over HTTP; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Called(NamedTuple):
    """What came back over gRPC: the code's name, the response, and the details of a refusal."""

    code: str
    body: bytes
    status: Any


class Target(NamedTuple):
    """An endpoint: its address, the header that proves who asks, and where it takes gRPC ("": nowhere)."""

    url: str = ""
    headers: Mapping[str, str] = {}
    grpc: str = ""
    bomb_bytes: int = 128 * 1024 * 1024  # what a body unpacks to that no server should read

    def post(self, signal: str, encoding: str, body: bytes, **changes: str) -> Answer:
        """A request as exporters send it; `changes` are headers, with `_` for `-`."""
        changed = {name.replace("_", "-"): value for name, value in changes.items()}
        headers = {"content-type": TYPES[encoding], **self.headers, **changed}
        return self.send("POST", f"/v1/{signal}", body, headers)

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Any request below the endpoint's address."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
        try:
            connection.request(method, parts.path.rstrip("/") + path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def call(self, signal: str, body: bytes, *, compression: Any = None, **changes: str) -> Called:
        """A call over gRPC; `changes` are metadata."""
        return self.method(SERVICES[signal], body, compression=compression, **changes)

    def method(self, method: str, body: bytes, *, compression: Any = None, **changes: str) -> Called:
        """Any unary call."""
        metadata = tuple({**{name.lower(): value for name, value in self.headers.items()}, **changes}.items())
        with grpc.insecure_channel(self.grpc) as channel:
            try:
                answered = channel.unary_unary(method)(
                    body, metadata=metadata, timeout=_SECONDS, compression=compression
                )
            except grpc.RpcError as error:
                trailing = dict(error.trailing_metadata() or ())
                return Called(error.code().name, b"", Status.FromString(trailing.get("grpc-status-details-bin", b"")))
        return Called("OK", answered, Status())
