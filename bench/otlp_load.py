"""A load of OTLP requests that are encoded before it begins; only ids, times and texts are written into them as they are sent.

Every span has ids of its own, and texts that none of the tens of thousands before it has, or of 128 MB where it is large, so that
nothing is recognised as a repetition and columns do not compress what nobody says twice. Knows protobuf's bytes and HTTP; knows no server.
"""

import asyncio
import itertools
import os
import random
import re
import socket
import struct
import time
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

CORPUS_BYTES = 32 * 1024 * 1024
_APART = 60_000  # spans between two with the same texts: more than a group of rows has
_MOST_BYTES = 128 * 1024 * 1024  # of requests that are written before: eight times what becomes one file
TRACE, SPAN, TEXT = b"\x01T-mark-of-trace", b"\x02S-mark-", b"~"
STARTS, ENDS = 0x1122334455667788, 0x1122334455667799
_NUMBERS = itertools.count(int.from_bytes(os.urandom(5)) << 20)


class Load(NamedTuple):
    """What is sent: how many spans a request has, about how many bytes each, over how many connections, for how long."""

    spans: int
    size: int
    connections: int
    seconds: float
    rate: float  # spans per second; 0: as many as are answered


class Template:
    """A request into which ids, times and texts are written."""

    def __init__(self, spans: int, size: int, corpus: bytes) -> None:
        self._corpus = corpus
        self._text = max(16, (size - 420) // 2)  # two texts to a span; the rest of a span has about 420 bytes
        data = _encoded(spans, self._text)
        self.size = len(data)
        self._data = bytearray(data)
        self._traces = _places(data, TRACE)
        self._spans = _places(data, SPAN)
        self._starts = _places(data, struct.pack("<Q", STARTS))
        self._ends = _places(data, struct.pack("<Q", ENDS))
        self._texts = _places(data, TEXT * self._text)[: 2 * spans]
        # Written before: the load shares the machine with what is measured. Of large ones fewer fit, and fewer lie in one file.
        count = max(1, min(_APART // spans, _MOST_BYTES // self.size))
        self._turns = [self._with_texts() for _ in range(count)]

    def request(self) -> tuple[bytearray, str]:
        """The next request, which is written over when its turn comes again, and its trace's id."""
        number, now = next(_NUMBERS), time.time_ns()
        data = self._turns[number % len(self._turns)]
        trace = struct.pack(">QQ", 0xF1BA11, number)
        start, end = struct.pack("<Q", now - 5_000_000), struct.pack("<Q", now)
        for at in self._traces:
            data[at : at + 16] = trace
        for place, at in enumerate(self._spans):
            data[at : at + 8] = struct.pack(">Q", (number & 0xFFF_FFFF_FFFF) << 20 | place + 1)
        for at in self._starts:
            data[at : at + 8] = start
        for at in self._ends:
            data[at : at + 8] = end
        return data, trace.hex()

    def _with_texts(self) -> bytearray:
        data, corpus, length = self._data.copy(), memoryview(self._corpus), self._text
        for at in self._texts:
            begin = int(random.random() * (len(corpus) - length))  # noqa: S311 -- chance in texts, not in secrets
            data[at : at + length] = corpus[begin : begin + length]
        return data


def corpus(size: int = CORPUS_BYTES) -> bytes:
    """Words of a made-up language, some more frequent than others, as texts have them."""
    chance = random.Random(7)  # noqa: S311 -- chance in texts, not in secrets
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(20_000)]
    frequencies = [1 / (rank + 10) for rank in range(len(words))]
    return " ".join(chance.choices(words, frequencies, k=size // 6)).encode()[:size]


def _encoded(spans: int, text: int) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in (("service.name", "bench"), ("telemetry.sdk.language", "python"), ("host.name", "somewhere")):
        group.resource.attributes.add(key=key).value.string_value = value
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.bench", "1.0"
    for number in range(spans):
        span = scope.spans.add(
            trace_id=TRACE,
            span_id=SPAN,
            name="chat bench-model",
            kind=3,
            start_time_unix_nano=STARTS,
            end_time_unix_nano=ENDS,
        )
        texts = {"gen_ai.input.messages": TEXT.decode() * text, "gen_ai.output.messages": TEXT.decode() * text}
        words = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "bench-model",
            "gen_ai.response.model": "bench-model-1",
            "session.id": f"session-{number % 7}",
            "user.id": f"user-{number % 11}",
        }
        for key, value in (words | texts).items():
            span.attributes.add(key=key).value.string_value = value
        for key, tokens in (("gen_ai.usage.input_tokens", 120), ("gen_ai.usage.output_tokens", 340)):
            span.attributes.add(key=key).value.int_value = tokens
    return request.SerializeToString()


def _places(data: bytes, mark: bytes) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(mark), data)]


async def send(address: str, key: str, load: Load, words: bytes, *, headers: str = "") -> dict[str, Any]:
    """Send for so long; how many spans were acknowledged, and how long each answer took, in milliseconds."""
    template = Template(load.spans, load.size, words)
    name, _, port = address.removeprefix("http://").partition(":")
    head = (
        f"POST /v1/traces HTTP/1.1\r\nhost: {name}:{port}\r\ncontent-type: application/x-protobuf\r\n"
        f"authorization: Bearer {key}\r\n{headers}content-length: {template.size}\r\n\r\n"
    ).encode()
    latencies: list[float] = []
    refused: dict[str, int] = {}
    began = time.perf_counter()
    end = began + load.seconds
    turns = itertools.count()

    async def one() -> None:
        loop, connection = asyncio.get_running_loop(), await _connected(name, int(port))
        while (now := time.perf_counter()) < end:
            due = began + next(turns) * load.spans / load.rate if load.rate else now
            if due > now:
                await asyncio.sleep(due - now)
            body, _ = template.request()
            asked = max(due, began) if load.rate else time.perf_counter()
            await loop.sock_sendall(connection, head)
            await loop.sock_sendall(connection, body)  # a stream would copy what the socket does not take at once
            status = await _answer(connection)
            if status == "200":
                latencies.append((time.perf_counter() - asked) * 1e3)
            else:
                refused[status] = refused.get(status, 0) + 1
        connection.close()

    await asyncio.gather(*(one() for _ in range(load.connections)))
    took = time.perf_counter() - began
    latencies.sort()
    return {
        "bytes a span": round(template.size / load.spans),
        "spans": len(latencies) * load.spans,
        "spans/s": round(len(latencies) * load.spans / took),
        "MB/s": round(len(latencies) * template.size / took / 1e6, 1),
        "p50 ms": round(latencies[len(latencies) // 2], 1) if latencies else None,
        "p99 ms": round(latencies[len(latencies) * 99 // 100], 1) if latencies else None,
        "refused": refused,
    }


async def _connected(name: str, port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await asyncio.get_running_loop().sock_connect(connection, (name, port))
    return connection


async def _answer(connection: socket.socket) -> str:
    """Its status; all of it is read, and it has a length."""
    loop, read, size = asyncio.get_running_loop(), b"", None
    while size is None or len(read) < size:
        piece = await loop.sock_recv(connection, 64 * 1024)
        if not piece:
            raise ConnectionResetError(f"of an answer {len(read)} bytes came")
        read += piece
        if size is None and (end := read.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"content-length: (\d+)", read[:end].lower())
            size = end + 4 + (int(length[1]) if length else 0)
    return read[9:12].decode()
