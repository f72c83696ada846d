"""Calls to addresses from outside: what is sent, what is taken of the answer, whose certificate is believed, what goes elsewhere."""

import asyncio
import datetime as dt
import ssl
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flyball.infra.egress.client import Egress
from flyball.infra.egress.errors import (
    AddressDeniedError,
    AddressUnfitError,
    AnswerTooLargeError,
    OutsideAwayError,
    OutsideCutError,
    RedirectRefusedError,
)
from flyball.infra.egress.networks import parse_networks
from flyball.kit.secrets import Secret

HERE = parse_networks("127.0.0.1")
FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-one: 1\r\n\r\nok"


async def here(host, port):
    return [ip_address("127.0.0.1")]


class Server:
    """A server that answers what it is told to, one connection each, and keeps what it was asked."""

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.answers, self.tls = list(answers), tls
        self.asked: list[bytes] = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    def url(self, path: str = "/hook", host: str = "hooks.example") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    async def _answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        self.asked.append(head + await reader.readexactly(length))
        writer.write(self.answers.pop(0))
        await writer.drain()
        writer.close()


def egress(**named) -> Egress:
    return Egress(allowed=HERE, resolver=here, **named)


async def test_a_call_carries_its_body_its_headers_and_the_name_of_the_host():
    async with Server(FINE) as server:
        answer = await egress().request(
            "POST",
            server.url("/hook?a=b"),
            headers={"Authorization": Secret("Bearer s3"), "content-type": "application/json"},
            body=b"{}",
        )

    assert (answer.status, answer.body, answer.headers["x-one"]) == (200, b"ok", "1")
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\nhost: hooks.example:%d\r\n" % server.port)
    assert b"authorization: Bearer s3" in head
    assert body == b"{}"


async def test_an_error_status_is_an_answer():
    async with Server(b"HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy") as server:
        answer = await egress().request("GET", server.url())

    assert (answer.status, answer.body) == (503, b"busy")


async def test_an_answer_above_its_cap_is_cut_off():
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
    async with Server(endless + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 64) as server:
        with pytest.raises(AnswerTooLargeError, match="more than 4096 bytes"):
            await egress().request("GET", server.url(), most_bytes=4096)


async def test_one_who_never_answers_is_left_after_the_time():
    async with Server(b"HTTP/1.1 200 OK\r\ncontent-le") as server:
        server.answers[0] = b""
        with pytest.raises((OutsideAwayError, OutsideCutError)):
            await egress().request("GET", server.url(), seconds=0.3)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"])
async def test_what_is_no_whole_http_answer_is_an_error_of_ours(said):
    async with Server(said) as server:
        with pytest.raises(OutsideCutError):
            await egress().request("GET", server.url())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "b\r\nx-c: d"),
        ("x-a\r\nx-b", "c"),
        ("x a", "b"),
        ("", "b"),
        ("host", "other"),
        ("content-length", "9"),
        ("transfer-encoding", "chunked"),
        ("x-a", "ü" * 3 + "€"),
        ("x-a", "\0"),
    ],
)
async def test_no_header_smuggles_another(name, value):
    with pytest.raises(AddressUnfitError):
        await egress().request("POST", "http://hooks.example/", headers={name: value})


@pytest.mark.parametrize("method", ["CONNECT", "get", "GET / HTTP/1.1\r\n", ""])
async def test_only_methods_that_are_words_are_sent(method):
    with pytest.raises((AddressUnfitError, OutsideAwayError)):
        await egress().request(method, "http://hooks.example/")


async def test_an_error_shows_the_host_and_not_the_path_that_is_a_webhooks_password():
    async with Server(b"") as server:
        with pytest.raises(OutsideCutError) as cut:
            await egress().request("GET", server.url("/services/T0/B0/s3cret"))

    assert "hooks.example" in str(cut.value)
    assert "s3cret" not in str(cut.value)


async def test_checking_an_address_calls_nobody():
    with pytest.raises(AddressDeniedError):
        await Egress(resolver=here).check("https://hooks.example/")
    await egress().check("https://hooks.example/")


def redirect(where: str, status: int) -> bytes:
    return f"HTTP/1.1 {status} Elsewhere\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n".encode()


async def test_credentials_stay_with_the_origin_they_were_for():
    async with Server(FINE) as other, Server(redirect(other.url("/x", "else.example"), 302)) as server:
        answer = await egress().request(
            "GET",
            server.url(),
            headers={"authorization": "Bearer s3", "cookie": "a=b", "x-api-key": "s3", "accept": "text/plain"},
            redirects=1,
        )

    assert answer.url == other.url("/x", "else.example")
    assert b"s3" not in other.asked[0]
    assert b"cookie" not in other.asked[0]
    assert b"accept: text/plain" in other.asked[0]


async def test_credentials_go_along_within_one_origin():
    async with Server(redirect("/next", 307), FINE) as server:
        await egress().request("POST", server.url(), headers={"authorization": "Bearer s3"}, body=b"data", redirects=1)

    assert server.asked[1].startswith(b"POST /next")
    assert b"Bearer s3" in server.asked[1]
    assert server.asked[1].endswith(b"data")


async def test_a_body_is_not_sent_on_to_another_origin():
    async with Server(FINE) as other, Server(redirect(other.url(), 308)) as server:
        with pytest.raises(RedirectRefusedError, match="sends what it was told on"):
            await egress().request("POST", server.url(), body=b"client_secret=s3", redirects=1)

    assert other.asked == []


async def test_a_circle_of_redirects_ends():
    async with Server(*[redirect("/round", 302)] * 6) as server:
        with pytest.raises(RedirectRefusedError, match="more than 3 times"):
            await egress().request("GET", server.url(), redirects=3)

    assert len(server.asked) == 4


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for hooks.example, as the server's context and as one that believes it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    return serving, ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())


async def test_the_certificate_is_that_of_the_name_although_the_connection_is_to_its_number(authority):
    serving, believing = authority
    async with Server(FINE, tls=serving) as server:
        answer = await egress(tls=believing).request("GET", server.url())

    assert answer.status == 200


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
async def test_a_certificate_of_another_name_is_refused(authority, host):
    serving, believing = authority
    async with Server(FINE, tls=serving) as server:
        with pytest.raises(OutsideAwayError, match=r"certificate|CERTIFICATE"):
            await egress(tls=believing).request("GET", server.url(host=host))

    assert server.asked == []


async def test_an_unknown_authority_is_refused(authority):
    async with Server(FINE, tls=authority[0]) as server:
        with pytest.raises(OutsideAwayError):
            await egress().request("GET", server.url())


async def test_a_redirect_from_tls_to_plain_http_is_refused(authority):
    serving, believing = authority
    async with Server(FINE) as plain, Server(redirect(plain.url(), 302), tls=serving) as server:
        with pytest.raises(RedirectRefusedError, match="without TLS"):
            await egress(tls=believing).request("GET", server.url(), redirects=1)

    assert plain.asked == []
