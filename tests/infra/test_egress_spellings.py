"""Calls to addresses from outside: whatever the spelling, no socket is opened to a network that is not called."""

import asyncio
import ssl
import sys
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.infra.egress.address import target_of
from flyball.infra.egress.client import Egress
from flyball.infra.egress.errors import AddressDeniedError, AddressUnfitError, OutsideAwayError, RedirectRefusedError
from flyball.infra.egress.networks import parse_networks, why_denied
from flyball.kit.errors import InvalidInputError

REFUSED = (AddressDeniedError, AddressUnfitError)
LISTED = "127.0.0.2"  # the one address of this machine that tests let be called
pytestmark = pytest.mark.allow_hosts(["127.0.0.1", LISTED, "::1"])

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # believes nobody, and costs no reading of certificates
_heard: list[list[tuple]] = []


def _hear(event: str, arguments: tuple) -> None:
    if _heard and event in ("socket.connect", "socket.sendto"):
        _heard[-1].append(arguments[1])


sys.addaudithook(_hear)  # the interpreter's own word for every connect, whoever calls it


@pytest.fixture
def opened():
    _heard.append([])
    yield _heard[-1]
    _heard.pop()


LOOPBACK_SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "127.000.000.001", "127.0.0.1.", "2130706433", "0x7f000001", "0x7F.0x0.0x0.0x1", "0x7f.1", "0177.0.0.1",
    "0177.0.0.01", "017700000001", "0300.0250.0.1", "127.255.255.254", "0", "0.0.0." + "0", "00", "0x0", "localhost", "LOCALHOST", "localhost.",
    "localhost.localdomain", "sub.localhost", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::]", "[::127.0.0.1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "127。0。0。1", "①②⑦.⓪.⓪.①", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost", "127.0.0.1\u200b", "xn--127001-", "127.0.0.1.nip.io",
]  # fmt: skip
PRIVATE_SPELLINGS = [
    "10.0.0.1", "10.1", "167772161", "0xa000001", "012.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "3232235521",
    "0xc0a80001", "[fc00::1]", "[fd12:3456::1]", "[::ffff:10.0.0.1]", "[::10.0.0.1]", "[2002:a00:1::]", "100.64.0.1", "100.127.255.255",
]  # fmt: skip
METADATA_SPELLINGS = [
    "169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "0xA9.0xFE.0xA9.0xFE", "169.254.43518",
    "169.16689662", "425.510.425.510", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "[fe80::a9fe:a9fe]", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "metadata.google.internal", "instance-data", "\uff11\uff16\uff19.\uff12\uff15\uff14.\uff11\uff16\uff19.\uff12\uff15\uff14",
]  # fmt: skip
OTHER_SPELLINGS = [
    "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "[ff02::1]",
    "[2001:db8::1]", "[100::1]", "[4000::1]", "[fec0::1]", "[3fff::1]", "[5f00::1]",
]  # fmt: skip
HOSTS = LOOPBACK_SPELLINGS + PRIVATE_SPELLINGS + METADATA_SPELLINGS + OTHER_SPELLINGS
URLS = [
    *(f"http://{host}/latest/meta-data/" for host in HOSTS),
    "http://public.example@127.0.0.1/", "http://127.0.0.1:80@public.example/", "http://public.example:pass@169.254.169.254/",
    "http://public.example%2f@127.0.0.1/", "http://public.example\\@127.0.0.1/", "http://127.0.0.1\\@public.example/", "http://127.0.0.1#@public.example/",
    "http://127.0.0.1?@public.example/", "http://127.0.0.1%00.public.example/", "http://127.0.0.1%09/", "http://127.0.0.1 .public.example/",
    "http://127.0.0.1\t/", "http://127.0.0.1\r\nHost: public.example/", "http:/127.0.0.1/", "http:127.0.0.1/", "http:///127.0.0.1/", "//127.0.0.1/",
    "http:\\\\127.0.0.1\\", "HTTP://127.0.0.1/", "hTTpS://127.0.0.1/", "http://127.0.0.1:22/", "http://127.0.0.1:6379/", "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/", "http://127.0.0.1:99999/", "http://127.0.0.1:/", "http://127.0.0.1:+80/", "http://[::1]:80:80/", "http://[127.0.0.1]/",
    "http://[::1/", "http://::1/", "http://%31%32%37.0.0.1/", "http://127%2e0%2e0%2e1/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO",
    "ftp://127.0.0.1/", "dict://127.0.0.1:11211/stat", "ldap://127.0.0.1/", "jar:http://127.0.0.1!/", "unix:///run/docker.sock", "data:text/plain,x",
    "javascript:alert(1)", "http+unix://%2frun%2fdocker.sock/", "ws://127.0.0.1/", "", "127.0.0.1", "http://", "http://./", "http://../", "http://-/",
    " http://127.0.0.1/", "http://127.0.0.1/" + "a" * 3000,
]  # fmt: skip


async def the_systems_view(host: str, port: int) -> list:
    """What a resolver says that knows every name of this network and reads numbers as generously as inet_aton does."""
    known = {
        "metadata.google.internal": "169.254.169.254",
        "instance-data": "169.254.169.254",
        "127.0.0.1.nip.io": "127.0.0.1",
    }
    if host in known or "localhost" in host:
        return [ip_address(known.get(host, "127.0.0.1"))]
    raise OSError("unknown")


@pytest.mark.parametrize("url", URLS, ids=lambda url: repr(url[:60]))
async def test_no_spelling_of_a_denied_address_opens_a_socket(url, opened):
    egress = Egress(resolver=the_systems_view, tls=TLS)

    with pytest.raises((*REFUSED, OutsideAwayError)):
        await egress.request("GET", url, seconds=2)
    assert opened == []


def test_there_are_more_than_a_hundred_spellings_and_no_two_are_the_same():
    assert len(URLS) == len(set(URLS)) > 100


@given(
    st.ip_addresses(network="127.0.0.0/8")
    | st.ip_addresses(network="10.0.0.0/8")
    | st.ip_addresses(network="fc00::/7")
    | st.ip_addresses(network="169.254.0.0/16")
)
def test_every_number_of_a_private_network_is_denied_in_every_coat(number):
    coats = [number]
    if isinstance(number, IPv4Address):
        low = int(number)
        coats += [ip_address(prefix + low) for prefix in (0xFFFF << 32, 0, 0x64FF9B << 96, 0x0064FF9B0001 << 80)]
        coats.append(ip_address((0x2002 << 112) + (low << 80)))

    assert all(why_denied(each) for each in coats)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_what_the_standard_library_does_not_call_global_is_never_called(number):
    if not number.is_global or number.is_multicast:
        assert why_denied(number)


@pytest.mark.parametrize(
    "number", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::200e"]
)
def test_public_addresses_are_called(number):
    assert why_denied(ip_address(number)) == ""


def test_one_bad_number_among_good_ones_refuses_the_name(opened):
    async def both(host, port):
        return [ip_address("1.1.1.1"), ip_address("10.0.0.7")]

    with pytest.raises(AddressDeniedError, match="leads to a private network"):
        asyncio.run(Egress(resolver=both, tls=TLS).request("GET", "http://public.example/"))
    assert opened == []


def test_an_operator_lists_a_network_and_still_not_the_metadata_in_it():
    listed = parse_networks("10.1.0.0/16, 169.254.0.0/16, fd00:ec2::/32")

    assert why_denied(ip_address("10.1.2.3"), listed) == ""
    assert why_denied(ip_address("10.2.0.1"), listed) == "a private network"
    assert (
        why_denied(ip_address("169.254.169.254"), listed)
        == why_denied(ip_address("fd00:ec2::254"), listed)
        == "a cloud's metadata service"
    )
    assert why_denied(ip_address("169.254.169.254"), parse_networks("169.254.169.254")) == ""


def test_listing_the_nat64_prefix_opens_the_internet_behind_it_and_nothing_else():
    listed = parse_networks("64:ff9b::/96")

    assert why_denied(ip_address("64:ff9b::101:101"), listed) == ""
    assert why_denied(ip_address("64:ff9b::7f00:1"), listed) == "this machine"
    assert why_denied(ip_address("64:ff9b::a9fe:a9fe"), listed) == "a cloud's metadata service"


def test_a_list_of_networks_with_a_mistake_names_the_mistake():
    with pytest.raises(InvalidInputError, match=r"FLYBALL_ALLOWED_NETWORKS has '10\.0\.0\.1/8'"):
        parse_networks("10.0.0.1/8")


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(AddressUnfitError) as refused:
        target_of("https://user:hunter2@hooks.example/")

    assert "hunter2" not in str(refused.value)


class Server:
    """A server on one of this machine's addresses that says what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._answer, self.host, 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    host = LISTED

    async def __aexit__(self, *_):
        self.server.close()

    async def _answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        self.asked.append(head + await reader.readexactly(length))
        writer.write(self.answers.pop(0))
        await writer.drain()
        writer.close()


def see_other(where: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Elsewhere\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n".encode("latin-1", "replace")


FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.mark.parametrize("url", [u for u in URLS if "\r" not in u and len(u) < 2000], ids=lambda url: repr(url[:60]))
async def test_no_redirect_leads_into_a_denied_network(url, opened):
    async with Server(see_other(url), FINE, FINE) as server:
        egress = Egress(allowed=parse_networks(LISTED), resolver=the_systems_view, tls=TLS)
        try:
            await egress.request("GET", f"http://{LISTED}:{server.port}/", redirects=1, seconds=2)
        except (*REFUSED, OutsideAwayError, RedirectRefusedError):
            pass

    assert {address[0] for address in opened} == {LISTED}


async def test_a_redirect_is_an_answer_unless_it_is_asked_for():
    async with Server(see_other("http://127.0.0.1/")) as server:
        answer = await Egress(allowed=parse_networks(LISTED)).request("GET", f"http://{LISTED}:{server.port}/")

    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1/")


async def test_a_name_that_is_rebound_between_two_look_ups_is_looked_up_once(opened):
    answers = [LISTED, "127.0.0.1", "127.0.0.1"]

    async def rebinding(host, port):
        return [ip_address(answers.pop(0))]

    async with Server(FINE) as server:
        egress = Egress(allowed=parse_networks(LISTED), resolver=rebinding, tls=TLS)
        answer = await egress.request("GET", f"http://rebound.example:{server.port}/")

    assert answer.body == b"ok"
    assert {address[0] for address in opened} == {LISTED}
    assert len(answers) == 2


async def test_a_redirect_to_a_rebound_name_is_checked_again(opened):
    answers = [LISTED, "127.0.0.1"]

    async def rebinding(host, port):
        return [ip_address(answers.pop(0))]

    async with Server(see_other("/again")) as server:
        with pytest.raises(AddressDeniedError):
            await Egress(allowed=parse_networks(LISTED), resolver=rebinding, tls=TLS).request(
                "GET", f"http://rebound.example:{server.port}/", redirects=3
            )

    assert {address[0] for address in opened} == {LISTED}
