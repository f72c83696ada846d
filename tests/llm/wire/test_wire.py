"""The wire to providers: what is sent, through whom, over which connection, and what leaving does to it."""

import asyncio
import contextlib
import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret
from flyball.llm.connections import Connections, address_of
from flyball.llm.errors import UpstreamAwayError, UpstreamCutError, UpstreamTimeoutError
from flyball.llm.wire import Order, Wire

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Peer:
    """A server that answers every request with what `answers` says next, and notes what it was sent."""

    def __init__(self, tls=None):
        self.answers = []
        self.heads = []
        self.bodies = []
        self.left = asyncio.Event()
        self.connections = 0
        self._tls = tls
        self.tunnels_to = None
        self._serving = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._serving.add(asyncio.current_task())
        try:
            await self._converse(reader, writer)
        finally:
            self.left.set()
            writer.close()

    async def _converse(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head.decode("latin-1"))
                if head.startswith(b"CONNECT") and self.tunnels_to:
                    await self._tunnel(reader, writer)
                    return
                length = next(
                    (int(n.split(b":")[1]) for n in head.split(b"\r\n") if n.lower().startswith(b"content-length")), 0
                )
                self.bodies.append(await reader.readexactly(length))
                answer = self.answers.pop(0) if self.answers else OK
                if answer is None:  # silence
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
                if b"connection: close" in answer.lower() or not answer:
                    return

    async def _tunnel(self, reader, writer):
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.tunnels_to)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def copy(source, to):
            while data := await source.read(65536):
                to.write(data)
            to.close()

        await asyncio.gather(copy(reader, there), copy(there_reader, writer))


@pytest.fixture
async def peer():
    async with Peer() as peer:
        yield peer


@pytest.fixture
async def wire():
    async with Wire(SystemClock(), connect_seconds=1, idle_seconds=0.5) as wire:
        yield wire


def order(peer, path="/v1/x", scheme="http", host="127.0.0.1", **fields):
    asked = {"headers": (), "body": b"{}", "where": "the upstream", **fields}
    return Order(f"{scheme}://{host}:{peer.port}{path}", **asked)


async def ask(wire, asked, seconds=2.0):
    async with wire.send(asked, seconds=seconds) as reply:
        return await reply.read_all()


# -- what is sent


async def test_a_request_says_its_host_its_length_and_its_headers_once(wire, peer):
    asked = order(
        peer, "/v1/ä b?x=%20ü", headers=(("x-one", "1"),), secrets=(("authorization", "Bearer k"),), body=b"abc"
    )

    await ask(wire, asked)

    first, *lines = peer.heads[0].split("\r\n")
    assert first == "POST /v1/%C3%A4%20b?x=%20%C3%BC HTTP/1.1"
    assert [line for line in lines if line] == [
        f"host: 127.0.0.1:{peer.port}", "user-agent: flyball", "content-type: application/json", "content-length: 3",
        "accept: */*", "x-one: 1", "authorization: Bearer k",
    ]  # fmt: skip
    assert peer.bodies == [b"abc"]


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b", "schlüssel\u2028", "ключ"])
async def test_a_header_that_would_say_more_than_one_is_never_sent(wire, peer, value):
    with pytest.raises(UpstreamAwayError, match="no address that can be called"):
        await ask(wire, order(peer, secrets=(("authorization", value),)))

    assert peer.heads == []


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "http:///y", "x", "http://user:pass@x/y", "http://x:99999/y", "http://a b/"]
)
async def test_an_address_that_leads_nowhere_is_said_to_be_none(wire, url):
    with pytest.raises(UpstreamAwayError, match="no address that can be called"):
        await ask(wire, Order(url, headers=(), body=b"", where="the upstream"))


def test_an_address_is_taken_apart():
    assert address_of("https://api.example/v1/m%2Fx:generate?alt=sse") == (
        True, "api.example", 443, "api.example", "/v1/m%2Fx:generate?alt=sse",
    )  # fmt: skip
    assert address_of("http://[::1]:8080")[1:] == ("::1", 8080, "[::1]:8080", "/")
    assert address_of("https://bücher.example/")[1] == "xn--bcher-kva.example"


# -- connections


async def test_connections_are_used_again_and_only_when_all_was_read(wire, peer):
    await ask(wire, order(peer))
    await ask(wire, order(peer))
    assert peer.connections == 1

    async with wire.send(order(peer), seconds=2):
        pass  # unread
    await ask(wire, order(peer))
    assert peer.connections == 2


async def test_a_connection_that_the_other_side_has_closed_is_not_used_again(wire, peer):
    peer.answers = [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"]

    await ask(wire, order(peer))
    await asyncio.sleep(0.05)

    assert await ask(wire, order(peer)) == b"{}"
    assert peer.connections == 2


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"{}"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n", b"{}"),
        (b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nuntil the end", b"until the end"),
    ],
    ids=["hints before", "chunks with a trailer", "no length"],
)
async def test_an_answer_may_be_framed_as_http_allows(wire, peer, answer, body):
    peer.answers = [answer]

    assert await ask(wire, order(peer)) == body


@pytest.mark.parametrize(
    "answer",
    [b"", b"nothing like it\r\n\r\nconnection: close", b"HTTP/1.1 200 OK\r\nx: " + b"a" * 900_000],
    ids=["nothing", "no HTTP", "an endless head"],
)
async def test_what_is_no_answer_is_a_cut(wire, peer, answer):
    peer.answers = [answer]

    with pytest.raises(UpstreamCutError, match="closed the connection before it answered"):
        await ask(wire, order(peer))


async def test_a_body_that_breaks_off_is_a_cut(wire, peer):
    peer.answers = [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{}"]

    with pytest.raises(UpstreamCutError, match="in the middle of its answer"):
        await ask(wire, order(peer))


async def test_nobody_there_is_said_with_the_reason(wire):
    with pytest.raises(UpstreamAwayError, match=r"cannot be reached \(Connection refused\)"):
        await ask(wire, Order("http://127.0.0.1:1/x", headers=(), body=b"", where="the upstream"))


# -- leaving


async def test_leaving_before_the_head_has_come_tells_the_other_side_at_once(wire, peer):
    peer.answers = [None]
    asking = asyncio.create_task(ask(wire, order(peer)))
    while not peer.bodies:
        await asyncio.sleep(0.01)

    asking.cancel()

    async with asyncio.timeout(1):  # it takes a millisecond; the limit is for busy machines
        await peer.left.wait()


async def test_a_head_that_does_not_come_in_time_closes_the_connection(wire, peer):
    peer.answers = [None]

    with pytest.raises(UpstreamTimeoutError, match="did not begin to answer in time"):
        await ask(wire, order(peer), seconds=0.1)

    async with asyncio.timeout(1):
        await peer.left.wait()


async def test_the_callers_own_deadline_inside_the_block_stays_its_own(wire, peer):
    with pytest.raises(TimeoutError):
        async with wire.send(order(peer), seconds=2), asyncio.timeout(0.01):
            await asyncio.sleep(1)


# -- encryption and proxies


@pytest.fixture
def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upstream.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path / "both.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def secure(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with Peer(context) as peer:
        yield peer


def trusting(certificate):
    return Wire(SystemClock(), connections=Connections(2, tls=ssl.create_default_context(cafile=certificate)))


async def test_an_encrypted_upstream_is_asked_by_its_name(secure, certificate):
    async with trusting(certificate) as wire:
        assert await ask(wire, order(secure, scheme="https", host="localhost")) == b"{}"

        with pytest.raises(UpstreamAwayError, match="certificate"):
            await ask(wire, order(secure, scheme="https", host="127.0.0.1"))


async def test_a_certificate_that_nobody_vouches_for_is_refused(wire, secure):
    with pytest.raises(UpstreamAwayError, match="certificate"):
        await ask(wire, order(secure, scheme="https", host="localhost"))

    assert secure.heads == []


@pytest.fixture
def behind_a_proxy(monkeypatch, peer):
    """Loopback never goes through a proxy, so the upstream has another name, which the proxy alone knows."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{peer.port}")
    monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{peer.port}")
    return peer


async def test_a_proxy_of_the_environment_is_asked_for_the_whole_address(behind_a_proxy):
    async with Wire(SystemClock()) as wire:
        await ask(wire, Order("http://upstream.test/v1/x?y=1", headers=(), body=b"{}", where="the upstream"))

    first, *lines = behind_a_proxy.heads[0].split("\r\n")
    assert first == "POST http://upstream.test/v1/x?y=1 HTTP/1.1"
    assert "proxy-authorization: Basic bWU6cEBzcw==" in lines


async def test_an_encrypted_upstream_is_reached_through_a_tunnel_that_sees_no_key(behind_a_proxy, secure, certificate):
    behind_a_proxy.tunnels_to = secure.port
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False

    async with Wire(SystemClock(), connections=Connections(2, tls=context)) as wire:
        asked = Order("https://upstream.test/x", headers=(), body=b"{}", where="it", secrets=(("authorization", "k"),))
        assert await ask(wire, asked) == b"{}"

    assert behind_a_proxy.heads[0].startswith("CONNECT upstream.test:443 HTTP/1.1\r\n")
    assert "authorization: k" not in "".join(behind_a_proxy.heads)
    assert "authorization: k" in secure.heads[0]


@pytest.mark.parametrize("spared", ["upstream.test", "*"])
async def test_hosts_that_are_spared_the_proxy_are_not_asked_through_it(behind_a_proxy, monkeypatch, spared):
    monkeypatch.setenv("no_proxy", spared)
    connections = Connections(1)

    assert connections.way_to(address_of("https://upstream.test/")).proxy == ""
    assert connections.way_to(address_of("http://127.0.0.1:9/")).proxy == ""


async def test_a_proxy_that_refuses_is_said_to(behind_a_proxy):
    behind_a_proxy.answers = [b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n"]

    async with Wire(SystemClock()) as wire:
        with pytest.raises(UpstreamAwayError, match="the proxy answered 407"):
            await ask(wire, Order("https://upstream.test/x", headers=(), body=b"{}", where="it"))


async def test_what_an_answers_headers_repeat_of_a_secret_is_left_out(wire, peer):
    peer.answers = [b"HTTP/1.1 200 OK\r\nx-a: sk-1\r\nx-b: 2\r\nx-b: 3\r\nx-c: \xe9\r\ncontent-length: 0\r\n\r\n"]

    async with wire.send(order(peer, blot=(Secret("sk-1"),)), seconds=2) as reply:
        assert dict(reply.headers) == {"x-b": "2", "content-length": "0"}
