"""Sinks get every line at least once and in order, may be away for as long as they like, and never hold up a change."""

import asyncio
import datetime as dt
import hmac
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from flyball.audit import service, sinks
from flyball.audit.errors import SinkAwayError, SinkUnfitError
from flyball.audit.keeping import keeping
from flyball.audit.sealing import seal
from flyball.audit.standing import standing
from flyball.audit.streaming import MOST_LINES, Streamer
from flyball.audit.syslog import Syslog, message, syslog_address
from flyball.audit.webhook import Webhook, signature
from flyball.infra.context import Context
from flyball.infra.egress.client import Egress
from flyball.infra.egress.networks import parse_networks
from flyball.kit.clock import FixedClock
from flyball.kit.ending import end
from flyball.kit.secrets import Secret
from flyball.settings import Settings

SECRET = Secret("correct horse battery staple")


class Remembering:
    """A sink that remembers, and is away as long as it is told to be."""

    def __init__(self, name: str = "remembering") -> None:
        self.name = name
        self.taken: list[dict] = []
        self.away = False
        self.forgets_to_answer = 0

    async def send(self, project, lines) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise SinkAwayError("it is away")
        self.taken += [{"project": project} | json.loads(line) for line in lines]
        if self.forgets_to_answer:
            self.forgets_to_answer -= 1
            raise SinkAwayError("it took it and the answer was lost")

    @property
    def numbers(self) -> list[int]:
        return [line["event"]["seq"] for line in self.taken if "event" in line]


async def record_some(ctx: Context, many: int) -> None:
    for number in range(many):
        async with ctx.db.transaction() as connection:
            await service.record(connection, ctx, action="keys.create", object_kind="key", object_id=f"k{number}")


async def test_a_sink_gets_every_event_and_every_checkpoint_in_order(ctx):
    sink = Remembering()
    streamer = Streamer(ctx, [sink])
    await record_some(ctx, 3)
    assert await streamer.deliver(sink) == 3
    await seal(ctx)
    await record_some(ctx, 2)
    assert await streamer.deliver(sink) == 3

    assert sink.numbers == [1, 2, 3, 4, 5]
    assert [line["checkpoint"]["seq"] for line in sink.taken if "checkpoint" in line] == [3]
    assert all(line["hash"] for line in sink.taken if "event" in line)
    assert await streamer.deliver(sink) == 0


async def test_a_batch_has_an_end_and_the_next_one_goes_on(ctx):
    sink = Remembering()
    await record_some(ctx, MOST_LINES + 3)

    streamer = Streamer(ctx, [sink])
    assert [await streamer.deliver(sink), await streamer.deliver(sink)] == [MOST_LINES, 3]
    assert sink.numbers == list(range(1, MOST_LINES + 4))


async def test_a_sink_that_is_away_holds_nothing_up_and_gets_everything_later(ctx):
    sink = Remembering("webhook https://hooks.example.com (c6a0de11)")
    sink.away = True
    wanted = msgspec.structs.replace(ctx.settings, audit_webhook="https://hooks.example.com/x")
    sink.name = sinks.names_of(wanted)[0]
    streamer = Streamer(ctx, [sink])
    await record_some(ctx, 2)
    with pytest.raises(SinkAwayError):
        await streamer.deliver(sink)
    await record_some(ctx, 2)  # a change goes on

    [state] = (await standing(replace(ctx, settings=wanted))).sinks
    assert (state.behind, state.failure) == (4, "it is away")
    assert state.failed_ns

    sink.away = False
    await streamer.deliver(sink)
    [state] = (await standing(replace(ctx, settings=wanted))).sinks
    assert sink.numbers == [1, 2, 3, 4]
    assert (state.behind, state.failure, state.failed_ns) == (0, "", None)


async def test_a_lost_answer_makes_a_batch_come_again_and_none_is_left_out(ctx):
    sink = Remembering()
    sink.forgets_to_answer = 1
    streamer = Streamer(ctx, [sink])
    await record_some(ctx, 2)

    with pytest.raises(SinkAwayError):
        await streamer.deliver(sink)
    await streamer.deliver(sink)

    assert sink.numbers == [1, 2, 1, 2]


async def test_another_process_goes_on_where_this_one_stopped(ctx):
    sink = Remembering()
    await record_some(ctx, 2)
    await Streamer(ctx, [sink]).deliver(sink)
    await record_some(ctx, 1)

    await Streamer(ctx, [sink]).deliver(sink)

    assert sink.numbers == [1, 2, 3]


async def test_two_processes_do_not_send_to_one_sink_at_once(ctx):
    sink = Remembering()
    await record_some(ctx, 50)

    await asyncio.gather(*(Streamer(ctx, [sink]).deliver(sink) for _ in range(3)))

    assert sink.numbers == list(range(1, 51))


async def test_one_sink_that_is_away_does_not_keep_another_from_its_lines(ctx):
    good, bad = Remembering("good"), Remembering("bad")
    bad.away = True
    await record_some(ctx, 3)
    running = [asyncio.create_task(run()) for run in Streamer(ctx, [bad, good]).runs()]
    async with asyncio.timeout(20):
        while good.numbers != [1, 2, 3]:
            await asyncio.sleep(0.01)
    await end(*running)

    assert bad.numbers == []


async def test_sending_ends_though_it_forgot_that_it_was_to_end(ctx, monkeypatch):
    sink, begun = Remembering(), asyncio.Event()

    async def forgetting(_project, _lines) -> None:
        if not begun.is_set():
            begun.set()
            with suppress(asyncio.CancelledError):  # as Python 3.11 does where a connection is just handed over
                await asyncio.Event().wait()

    async def sinks_of(*_) -> list:
        return [sink]

    monkeypatch.setattr(sink, "send", forgetting)
    monkeypatch.setattr("flyball.audit.keeping.sinks_of", sinks_of)
    await record_some(ctx, 1)

    async with asyncio.timeout(10), keeping(ctx):
        await begun.wait()


# The webhook


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A certificate for localhost and 127.0.0.1 with its key, by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path / "certificate.pem"
    key_bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + key_bytes)
    return path


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@asynccontextmanager
async def receiver(certificate: Path, answer: bytes) -> AsyncIterator[tuple[int, list]]:
    """A web server that remembers requests as (headers, body) and answers all alike."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    got: list = []

    async def serve(reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], got


OK = b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_a_webhook_gets_signed_json_lines(certificate):
    async with receiver(certificate, OK) as (port, got):
        egress = Egress(allowed=parse_networks("127.0.0.0/8"), tls=trusting(certificate))
        await Webhook("w", f"https://127.0.0.1:{port}/a?b=c", SECRET, egress, FixedClock()).send(
            "default", [b'{"a":1}', b'{"b":2}']
        )

    [(headers, body)] = got
    assert body == b'{"a":1}\n{"b":2}\n'
    assert headers["content-type"] == "application/x-ndjson"
    assert headers["flyball-project"] == "default"
    assert headers["flyball-timestamp"] == "1700000000"  # of the clock that it is given
    signed = headers["flyball-timestamp"].encode() + b"." + body
    by_hand = "v1=" + hmac.new(SECRET.reveal().encode(), signed, "sha256").hexdigest()
    assert headers["flyball-signature"] == by_hand == signature(SECRET, headers["flyball-timestamp"], body)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", b"HTTP/1.1 302 Go\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n", b""]
)  # fmt: skip
async def test_any_other_answer_says_that_the_receiver_has_nothing(certificate, answer):
    async with receiver(certificate, answer) as (port, got):
        egress = Egress(allowed=parse_networks("127.0.0.0/8"), tls=trusting(certificate))

        with pytest.raises(SinkAwayError):
            await Webhook("w", f"https://127.0.0.1:{port}/", SECRET, egress, FixedClock()).send("default", [b"{}"])

    assert len(got) == 1  # nowhere else was anything sent


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:8443/", "https://10.1.2.3/", "https://169.254.169.254/", "https://[::1]:8443/"]
)
async def test_a_webhook_into_a_private_network_is_refused_unless_it_is_listed(url):
    with pytest.raises(SinkAwayError, match="is not called"):
        await Webhook("w", url, SECRET, Egress(), FixedClock()).send("default", [b"{}"])


@pytest.mark.parametrize(
    ("webhook", "secret", "words"),
    [
        ("http://hooks.example.com/", "file:{folder}/s", "not https"),
        ("https://user:pass@hooks.example.com/", "file:{folder}/s", "name or a password"),
        ("https://hooks.example.com/", "", "needs FLYBALL_AUDIT_WEBHOOK_SECRET"),
        ("https://hooks.example.com/", "open sesame", "needs FLYBALL_AUDIT_WEBHOOK_SECRET"),
        ("https://hooks.example.com/", "file:{folder}/none", "stands for nothing"),
        ("https://hooks.example.com/", "file:{folder}/short", "shorter than 16 bytes"),
    ],
)
async def test_a_webhook_that_cannot_be_safe_keeps_the_process_from_starting(ctx, webhook, secret, words):
    folder = ctx.layout.secrets
    (folder / "s").write_text("x" * 32)
    (folder / "short").write_text("short")
    wanted = msgspec.structs.replace(
        ctx.settings, audit_webhook=webhook, audit_webhook_secret=secret.format(folder=folder)
    )

    with pytest.raises(SinkUnfitError, match=words) as told:
        async with keeping(replace(ctx, settings=wanted)):
            pass
    assert "open sesame" not in str(told.value)


async def test_the_settings_name_the_sinks_and_nothing_secret(ctx):
    (ctx.layout.secrets / "s").write_text("x" * 32)
    wanted = msgspec.structs.replace(
        ctx.settings, audit_webhook="https://hooks.example.com/token-1234", audit_syslog="udp://loghost",
        audit_webhook_secret=f"file:{ctx.layout.secrets}/s",
    )  # fmt: skip

    found = await sinks.sinks_of(wanted, ctx.layout, ctx.clock)

    assert tuple(sink.name for sink in found) == sinks.names_of(wanted)
    assert "token" not in repr(found[0].name)
    assert len({sinks.identity(sink) for sink in found}) == 2
    assert await sinks.sinks_of(Settings(), ctx.layout, ctx.clock) == ()


# Syslog

EVENT = b'{"hash":"00","event":{"action":"keys.create","at_ns":"1700000000123456789","seq":1}}'


def test_a_line_is_one_rfc_5424_message():
    assert message(EVENT, "host") == b"<110>1 2023-11-14T22:13:20.123457Z host flyball - audit-event - " + EVENT
    assert b" audit-checkpoint - " in message(b'{"checkpoint":{"at_ns":"1"},"signature":"00"}', "host")


@pytest.mark.parametrize(
    "text",
    ["", "loghost", "http://loghost", "udp://", "tcp://host:0", "tcp://host:99999", "unix://dev/log", "udp://a b"],
)
def test_what_is_no_address_of_syslog_is_refused(text):
    with pytest.raises(SinkUnfitError, match="no address of syslog"):
        syslog_address(text)


def test_the_usual_ports_are_known():
    assert [syslog_address(f"{way}://h").port for way in ("udp", "tcp", "tls")] == [514, 601, 6514]
    assert syslog_address("udp://[::1]:5514") == ("udp", "::1", 5514)
    assert syslog_address("unix:///dev/log") == ("unix", "/dev/log", 0)


async def test_syslog_over_udp_and_the_local_socket(tmp_path):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local,
    ):
        udp.bind(("127.0.0.1", 0))
        local.bind(str(tmp_path / "log"))
        for text, listening in ((f"udp://127.0.0.1:{udp.getsockname()[1]}", udp), (f"unix://{tmp_path}/log", local)):
            await Syslog("s", syslog_address(text), "host").send("default", [EVENT, EVENT])

            listening.settimeout(5)
            assert [listening.recv(65_535) for _ in range(2)] == [message(EVENT, "host")] * 2


@pytest.mark.parametrize("way", ["tcp", "tls"])
async def test_syslog_over_a_connection_is_framed_by_length(certificate, way):
    got = asyncio.get_running_loop().create_future()

    async def serve(reader, writer) -> None:
        got.set_result(await reader.read())
        writer.close()

    tls = None
    if way == "tls":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        address = syslog_address(f"{way}://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await Syslog("s", address, "host", tls=trusting(certificate)).send("default", [EVENT, EVENT])
        whole = message(EVENT, "host")

        assert await asyncio.wait_for(got, 5) == (b"%d %b" % (len(whole), whole)) * 2


async def test_syslog_that_nobody_listens_to_is_away(tmp_path):
    with pytest.raises(SinkAwayError, match="cannot be reached"):
        await Syslog("s", syslog_address(f"unix://{tmp_path}/nobody"), "host").send("default", [EVENT])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SinkAwayError, match="cannot be reached"):
        await Syslog("s", syslog_address(f"tcp://127.0.0.1:{port}"), "host").send("default", [EVENT])
