"""What a gateway needs around it in a test: a snapshot made by hand, a recorder that is a list, peers behind Unix sockets."""

import asyncio
import contextlib
import socket

import msgspec

from flyball.functions.records import Answer, Citation, LiveRelease, PinnedVariant
from flyball.gateway.errors import NotReadyError
from flyball.gateway.snapshot import KnownFunction, KnownModel, KnownProject, Snapshot
from flyball.infra.sockets.serving import Server
from flyball.kit.secrets import Secret, token_hash
from flyball.ledger.records import Reservation
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.records import Prices
from flyball.projects.key_records import ActiveKey

KEY = "fb_the-callers-own-key"
TEXT_INPUT = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
TWO_FIELDS = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    "required": ["a", "b"],
}


class ByHand:
    """A snapshot that a test sets."""

    def __init__(self):
        self.snapshot = None

    def in_force(self):
        if self.snapshot is None:
            raise NotReadyError
        return self.snapshot


class FreeTill:
    """Promises everything to everybody, and keeps what calls cost."""

    def __init__(self):
        self.open = set()  # reservations that were not settled yet
        self.entries = []
        self._made = 0

    def at_once(self, *_):
        self._made += 1
        self.open.add(self._made)
        return Reservation(self._made, None)

    async def admit(self, _):
        return self.at_once()

    def settle(self, reservation, entries):
        self.open.remove(reservation.number)  # once
        self.entries += entries


class Recorded(list):
    """Spans, in a list."""

    def append(self, span):
        super().append(span)
        return True

    @property
    def root(self):
        roots = [span for span in self if span.kind == "gateway"]
        assert len(roots) == 1, f"{len(roots)} records of one call"
        return roots[0]

    @property
    def attempts(self):
        return [span for span in self if span.kind == "llm"]


class Peer:
    """A process behind a Unix socket; `answer` is what it does with a request."""

    def __init__(self, path):
        self.path = path
        self.requests = []
        self.hangups = 0
        self.answer = None

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append((scope, body))
        watch = asyncio.create_task(self._watch(receive))
        try:
            await self.answer(scope, body, send)
        finally:
            watch.cancel()

    async def _watch(self, receive):
        task = asyncio.current_task()
        await receive()
        if not task.cancelling():
            self.hangups += 1


def model(upstreams, name="fast", provider="openai-compatible", **options):
    endpoints = tuple(
        ResolvedEndpoint(provider, upstream.base_url, "mock-small", Secret("sk-upstream"), weight)
        for upstream, weight in upstreams
    )
    return KnownModel(
        name=name,
        version=3,
        hash="sha256:m",
        endpoints=endpoints,
        prices=Prices(input="0.15", output="0.60"),
        **options,
    )


def variant(name="rules"):
    return PinnedVariant(
        function="triage", name=name, kind="rules", spec={"input": TEXT_INPUT, "output": {}}, hash=f"sha256:{name}"
    )


def function(shares=(("rules", 1.0),), name="triage", schema=TEXT_INPUT, text_field="question"):
    variants = {f"sha256:{n}": variant(n) for n, _ in shares}
    live = LiveRelease(
        project="default",
        function=name,
        release_id="rel_1",
        release_hash="sha256:r",
        shares=tuple((f"sha256:{n}", share) for n, share in shares),
    )
    return KnownFunction(name=name, input=schema, text_field=text_field, live=live, variants=variants)


CITATION = Citation(
    document_id="doc_1", title="datetime", source="stdlib", licence="PSF-2.0", document_hash="sha256:d",
    start=0, end=4, quote="date", index_version="ix_1", dataset_version="dv_1",
)  # fmt: skip
ANSWER = Answer(text="The date.\nToday's.", output="The date.", citations=(CITATION,))


def answering(*lines):
    """A runner that says these lines."""

    async def answer(scope, body, send):
        del scope, body
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for line in lines:
            await send({"type": "http.response.body", "body": msgspec.json.encode(line) + b"\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return answer


@contextlib.asynccontextmanager
async def serving(app, **where):
    bound = socket.socket(socket.AF_UNIX if "path" in where else socket.AF_INET)
    bound.bind(str(where["path"]) if "path" in where else ("127.0.0.1", 0))
    address = bound.getsockname()
    async with listening(Server(app), bound):
        yield address


@contextlib.asynccontextmanager
async def listening(server, bound):
    """A server on a socket, without its signals; at the end it has a tenth of a second for what is open, if anything is."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([bound])
    try:
        yield server
    finally:
        for each in server.servers:
            each.close()
        bound.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                while server.server_state.connections or server.server_state.tasks:
                    await asyncio.sleep(0.001)


def snapshot(models, functions):
    """A default project that knows these, and one key."""
    key = ActiveKey(
        hash=token_hash(KEY), id="key_1", project="default", name="tests", permissions=frozenset({"gateway.call"})
    )
    return Snapshot(
        epoch=1, keys={key.hash: key}, projects={"default": KnownProject(models=models, functions=functions)}
    )


# -- what an upstream says, byte by byte

OK = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def whole(body=OK, status="200 OK", head=b""):
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n%b\r\n" % (status.encode(), len(data), head) + data


def streamed(*events):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return head + b"".join(b"data: " + event + b"\n\n" for event in events)


CHUNK = b'{"choices":[{"index":0,"delta":{"content":"hi"}}]}'
