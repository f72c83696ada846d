"""Bytes that one reader takes for one request and the next for two: none reaches the control process as a request of its own."""

import asyncio

HOST = b"Host: 127.0.0.1\r\n"
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"POST /healthz HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


AMBIGUOUS = {
    "both lengths": post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=CHUNKED),
    "both, the other way round": post(b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(CHUNKED), body=CHUNKED),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
    "two lengths in one line": post(b"Content-Length: 0, %d" % len(HIDDEN), body=HIDDEN),
    "a length with a sign": post(b"Content-Length: +0", body=HIDDEN),
    "a negative length": post(b"Content-Length: -1", body=HIDDEN),
    "a length in other digits": post(b"Content-Length: 0x0", body=HIDDEN),
    "a length with a space in it": post(b"Content-Length: 0 0", body=HIDDEN),
    "a length of white space": post(b"Content-Length: \x0b0", body=HIDDEN),
    "a length that overflows": post(b"Content-Length: 18446744073709551616", body=HIDDEN),
    "an empty length": post(b"Content-Length:", body=HIDDEN),
    "an encoding with a space before the colon": post(b"Transfer-Encoding : chunked", b"Content-Length: %d" % len(CHUNKED), body=CHUNKED),
    "an encoding of another name": post(b"Transfer-Encoding: xchunked", body=CHUNKED),
    "an encoding with a tab": post(b"Transfer-Encoding:\tchunked\x0b", body=CHUNKED),
    "an encoding twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED),
    "an encoding that goes on": post(b"Transfer-Encoding: chunked, identity", body=CHUNKED),
    "an encoding in quotes": post(b'Transfer-Encoding: "chunked"', body=CHUNKED),
    "an encoding on a folded line": post(b"Transfer-Encoding:", b" chunked", body=CHUNKED),
    "an encoding behind a NUL": post(b"X: a\0Transfer-Encoding: chunked", b"Content-Length: 0", body=HIDDEN),
    "an encoding with an underscore": post(b"Transfer_Encoding: chunked", b"Content-Length: 0", body=b""),
    "a bare line feed": b"POST /healthz HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 0\n\n" + HIDDEN.replace(b"\r", b""),
    "a bare carriage return": post(b"X: a\rContent-Length: %d" % len(HIDDEN), body=HIDDEN),
    "a header without a colon": post(b"Content-Length", b"Content-Length: 0", body=HIDDEN),
    "a header that begins with a space": b"POST /healthz HTTP/1.1\r\n Content-Length: %d\r\n" % len(HIDDEN) + HOST + b"\r\n" + HIDDEN,
    "a chunk whose size is no number": post(b"Transfer-Encoding: chunked", body=b"0x0\r\n\r\n" + HIDDEN),
    "a chunk whose size overflows": post(b"Transfer-Encoding: chunked", body=b"10000000000000000\r\n\r\n" + HIDDEN),
    "a chunk that ends elsewhere": post(b"Transfer-Encoding: chunked", body=b"1\r\naXX0\r\n\r\n" + HIDDEN),
    "a chunk's extension with a line feed": post(b"Transfer-Encoding: chunked", body=b"1;a\nb\r\nx\r\n0\r\n\r\n" + HIDDEN),
    "a length on a GET, and less": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % (len(HIDDEN) + 9) + HIDDEN,
    "an upgrade": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" + HIDDEN,
    "an upgrade with a body": post(b"Upgrade: h2c", b"Connection: Upgrade", b"Content-Length: 2", body=b"{}" + HIDDEN),
    "an upgrade of no length": post(b"Upgrade: h2c", b"Connection: Upgrade", b"Content-Length: 0", body=HIDDEN),
    "an upgrade in chunks": post(b"Upgrade: h2c", b"Connection: Upgrade", b"Transfer-Encoding: chunked", body=CHUNKED),
    "an upgrade of both lengths": post(b"Upgrade: h2c", b"Connection: Upgrade", b"Transfer-Encoding: chunked", b"Content-Length: 6", body=CHUNKED),
    "an upgrade of an odd length": post(b"Upgrade: h2c", b"Connection: Upgrade", b"Content-Length: +2", body=b"{}" + HIDDEN),
    "a tunnel": b"CONNECT /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}" + HIDDEN,
    "a web socket": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" + HIDDEN,
    "HTTP/2 with prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "HTTP/0.9": b"GET /smuggled\r\n",
    "a version that nobody has": b"GET /smuggled HTTP/9.9\r\n" + HOST + b"\r\n",
    "a line feed in the address": b"GET /healthz\nGET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n",
    "a body that is expected": post(b"Expect: 100-continue", b"Content-Length: 0", b"Content-Length: 5", body=HIDDEN),
    "a length named by Connection": post(b"Connection: content-length", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
    "an encoding named by Connection": post(b"Connection: transfer-encoding", b"Transfer-Encoding: chunked", body=b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a request in a chunk": post(b"Transfer-Encoding: chunked", body=b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a request in a body": post(b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
    "a request in a trailer": post(b"Transfer-Encoding: chunked", body=b"0\r\nX: y\r\nContent-Length: 5\r\n\r\n"),
}  # fmt: skip


async def test_no_request_hides_in_another(front):
    await asyncio.gather(*(front.say(data) for data in AMBIGUOUS.values()))

    assert [each for each in front.arrived if b"smuggled" in each["path"]] == []


async def test_no_request_hides_in_another_that_comes_in_pieces(front):
    for data in AMBIGUOUS.values():
        await front.say(data, seconds=0.02, pieces=7)

    assert [each for each in front.arrived if b"smuggled" in each["path"]] == []


async def test_the_line_works_for_those_who_mean_well(front):
    said = await front.say(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n")

    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert [each["path"] for each in front.arrived] == [b"/healthz", b"/readyz"]


CLAIMS = [b"X-Forwarded-For: 6.6.6.6", b"x-forwarded-host: evil.example", b"Forwarded: for=6.6.6.6", b"X-Real-IP: 6.6.6.6", b"X-Forwarded-For: 6.6.6.6\r\nX-FORWARDED-FOR: 7.7.7.7"]  # fmt: skip


async def test_what_a_client_claims_of_its_way_does_not_arrive(front):
    for line in CLAIMS:
        await front.say(b"GET /healthz HTTP/1.1\r\n" + HOST + line + b"\r\nConnection: close\r\n\r\n")

    assert len(front.arrived) == len(CLAIMS)
    for arrived in front.arrived:
        values = b" ".join(value for _, value in arrived["headers"])
        assert b"6.6.6.6" not in values
        assert b"evil.example" not in values
        assert [value for name, value in arrived["headers"] if name == b"x-forwarded-for"] == [b"127.0.0.1"]


TARGETS = [b"http://evil.example/api/keys", b"http://127.0.0.1/api/keys", b"//evil.example/api/keys", b"*", b"evil.example:443", b"/api/keys#/healthz", b"/api/keys?x=/healthz", b"http://127.0.0.1@evil.example/", b"/%2e%2e/api/keys", b"/healthz/../api/keys", b"\\api\\keys", b"/v1/../api/keys", b"/v1%2f..%2fapi%2fkeys"]  # fmt: skip
HOSTS = [b"Host: 127.0.0.1\r\nHost: evil.example\r\n", b"Host: evil.example\r\nHost: 127.0.0.1\r\n", b"Host: 127.0.0.1\r\nhost: 127.0.0.1\r\n", b"", b"Host: evil.example\r\nX-Forwarded-Host: 127.0.0.1\r\n", b"Host: 127.0.0.1 evil.example\r\n", b"Connection: host\r\nHost: 127.0.0.1\r\n"]  # fmt: skip


async def test_no_form_of_an_address_opens_a_guarded_route(front):
    for target in TARGETS:
        said = await front.say(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        assert b" 200 " not in said.partition(b"\r\n")[0], target


async def test_no_two_hosts_and_no_other_host_is_answered(front):
    for hosts in HOSTS:
        said = await front.say(b"GET /api/openapi.json HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        assert b" 200 " not in said.partition(b"\r\n")[0], hosts
