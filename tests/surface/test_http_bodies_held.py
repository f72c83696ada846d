"""Bodies over real sockets: a little of what strangers send, more of who is known, never more of all together than there is room for."""

import asyncio
import socket

import msgspec
import pytest
from fastapi import FastAPI

from flyball.infra.context import Actor
from flyball.infra.sockets.serving import Server
from flyball.surface.http import PUBLIC, Body, ContextDep, Router, capping
from flyball.surface.http.answers import install_error_answers
from flyball.surface.http.bodies import FileBody, Pieces
from flyball.surface.http.identity import Proof
from flyball.surface.http.router import install
from flyball.surface.http.shield import Shield

KNOWN = b"authorization: Bearer good\r\n"
LARGE = 31 * 1024 * 1024
CAP = 256 * 1024
ROOM = 2_000_000  # for all bodies together


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some text."""

    text: str


TEXT = Body(Text)
FILE = FileBody()


def make_router() -> Router:
    router = Router("/api", tag="things")

    @router.post("/open", permission=PUBLIC, returns=int)
    async def measure_anybodys(new: Text = TEXT) -> int:
        """How long it is."""
        return len(new.text)

    @router.post("/guarded", permission="things.write", returns=int)
    async def measure(ctx: ContextDep, new: Text = TEXT) -> int:
        """How long it is."""
        return len(new.text)

    @router.post("/file", permission="things.write", returns=int)
    async def swallow(ctx: ContextDep, file: Pieces = FILE) -> int:
        """How long it was."""
        return sum([len(piece) async for piece in file.read(100_000_000)])

    return router


async def prove(ctx, *, bearer, session, address=""):
    if bearer is None or bearer.reveal() != "good":
        return None
    return Proof(actor=Actor(id="a", kind="key", name="a", permissions=frozenset({"things.write"})), project="default")


@pytest.fixture
async def shield(ctx, settings):
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install(app, [make_router()])
    install_error_answers(app)
    app.state.context, app.state.prover = ctx, prove
    return Shield(app, door="public", settings=msgspec.structs.replace(settings, most_body_bytes=ROOM))


@pytest.fixture
async def connect(shield):
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = Server(shield, hears_signals=False)
    serving = asyncio.create_task(server.serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    opened = []

    async def connect(path, length, *, headers=b"", kind=b"application/json"):
        """A connection on which the head of a request was sent; a `length` of None: the body comes in chunks."""
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        opened.append(writer)
        size = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
        writer.write(
            b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: %b\r\n%b%b\r\n\r\n" % (path, kind, headers, size)
        )
        return reader, writer

    yield connect
    for writer in opened:
        writer.transport.abort()
    server.force_exit = True
    server.stop()
    await serving


def held(shield) -> int:
    return sum(shield._holding._held.values())


def text(length):
    """A body of this length."""
    return b'{"text":"' + b"a" * (length - 11) + b'"}'


async def answer(reader):
    """The head of the answer, and its body."""
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head[9:12]), head.lower(), await reader.readexactly(length)


async def until(true):
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def test_what_a_stranger_announces_too_large_is_refused_before_it_comes(connect, shield):
    for _ in range(12):
        reader, writer = await connect(b"/api/open", LARGE)
        writer.write(text(LARGE)[:100_000])

        status, _, said = await answer(reader)

        assert (status, b"262144 bytes" in said) == (413, True)
    assert held(shield) == 0


async def test_what_a_stranger_does_not_announce_is_refused_where_the_cap_is(connect, shield):
    reader, writer = await connect(b"/api/open", None)
    for _ in range(CAP // 1024):
        writer.write(b"400\r\n" + b"a" * 1024 + b"\r\n")
    await until(lambda: held(shield) == CAP)
    writer.write(b"1\r\na\r\n")

    assert (await answer(reader))[0] == 413
    await until(lambda: held(shield) == 0)


async def test_a_body_up_to_the_cap_comes_from_anybody_and_a_large_one_from_who_is_known(connect, shield):
    reader, writer = await connect(b"/api/open", CAP)
    writer.write(text(CAP))
    assert (await answer(reader))[::2] == (200, b"%d" % (CAP - 11))

    reader, writer = await connect(b"/api/guarded", CAP * 4, headers=KNOWN)
    writer.write(text(CAP * 4))
    assert (await answer(reader))[::2] == (200, b"%d" % (CAP * 4 - 11))
    await until(lambda: held(shield) == 0)


async def test_nothing_is_read_of_who_has_no_key_for_a_guarded_route(connect, shield):
    reader, _ = await connect(b"/api/guarded", LARGE)

    assert (await answer(reader))[0] == 401
    assert held(shield) == 0


async def test_all_strangers_together_have_a_room_of_their_own(connect, shield, monkeypatch):
    monkeypatch.setattr(capping, "_MOST_UNPROVEN_HELD", 400_000)
    shield._holding = capping.Holding(ROOM)
    waiting = []
    for _ in range(4):
        reader, writer = await connect(b"/api/open", 100_001)
        writer.write(text(100_001)[:-1])
        waiting.append((reader, writer))
    await until(lambda: held(shield) == 4 * 100_000)

    reader, writer = await connect(b"/api/open", 1000)
    writer.write(text(1000))
    status, head, said = await answer(reader)
    assert (status, b"bodies_held" in said, b"retry-after: 2" in head) == (503, True, True)

    reader, writer = await connect(b"/api/guarded", 1000, headers=KNOWN)
    writer.write(text(1000))
    assert (await answer(reader))[0] == 200

    for _, writer in waiting:
        writer.transport.abort()
    await until(lambda: held(shield) == 0)
    reader, writer = await connect(b"/api/open", 1000)
    writer.write(text(1000))
    assert (await answer(reader))[0] == 200


async def test_all_who_are_known_together_send_no_more_than_there_is_room_for(connect, shield):
    for _ in range(2):
        _, writer = await connect(b"/api/guarded", ROOM, headers=KNOWN)
        writer.write(text(ROOM)[: ROOM // 2 - 1000])
    await until(lambda: held(shield) == ROOM - 2000)

    reader, writer = await connect(b"/api/guarded", 10_000, headers=KNOWN)
    writer.write(text(10_000))

    assert (await answer(reader))[0] == 503
    assert held(shield) == ROOM - 2000


async def test_a_file_that_is_taken_piece_by_piece_is_not_held(connect, shield):
    reader, writer = await connect(b"/api/file", ROOM * 4, headers=KNOWN, kind=b"application/octet-stream")
    writer.write(bytes(ROOM * 4))

    assert (await answer(reader))[::2] == (200, b"%d" % (ROOM * 4))
    assert held(shield) == 0
