"""surface.http: no route without a permission, bodies within caps, one envelope of errors, headers on everything."""

import logging

import msgspec
import psycopg
import pytest
from fastapi import FastAPI

from flyball.infra.context import Actor
from flyball.kit.errors import NotFoundError
from flyball.kit.paging import Page
from flyball.surface.http import AUTHENTICATED, PUBLIC, Body, ContextDep, Router
from flyball.surface.http.answers import install_error_answers
from flyball.surface.http.identity import Proof
from flyball.surface.http.openapi import describe
from flyball.surface.http.router import UnguardedRouteError, install, refuse_unguarded
from flyball.surface.http.shield import SECURITY_HEADERS, Shield
from flyball.testing.asgi import AsgiClient

KEY = {"authorization": "Bearer good"}


KNOWN = frozenset({"things.read", "things.write"})


class Thing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thing."""

    name: str
    size: int = 0


THING = Body(Thing)


def make_router() -> Router:
    router = Router("/api/things", tag="things")

    @router.get(permission="things.read", returns=Thing)
    async def show(ctx: ContextDep, limit: int = 5) -> Thing:
        """Show who asks."""
        return Thing(name=ctx.actor.name, size=limit)

    @router.post(permission="things.write", returns=Thing, status=201)
    async def make(ctx: ContextDep, new: Thing = THING) -> Thing:
        """Make one."""
        return new

    @router.delete("/{name}", permission="things.write", returns=None, status=204)
    async def remove(ctx: ContextDep, name: str) -> None:
        """Remove one."""
        raise NotFoundError(f"no thing {name}", next_step="look at the list")

    @router.get("/open", permission=PUBLIC, returns=Thing)
    async def open_(ctx: ContextDep) -> Thing:
        """Anyone."""
        return Thing(name=ctx.actor.name)

    @router.get("/known", permission=AUTHENTICATED, returns=Thing)
    async def known(ctx: ContextDep) -> Thing:
        """Anyone known."""
        return Thing(name=ctx.actor.name)

    @router.get("/broken", permission=PUBLIC, returns=Thing)
    async def broken(ctx: ContextDep) -> Thing:
        """Fails."""
        raise ZeroDivisionError("with private content")

    @router.get("/twin", permission=PUBLIC, returns=Thing)
    async def twin(ctx: ContextDep) -> Thing:
        """Somebody else was faster."""
        raise psycopg.errors.UniqueViolation("Key (name)=(private) already exists")

    return router


async def prove(ctx, *, bearer, session, address=""):
    permissions = {"good": {"things.read", "things.write"}, "reader": {"things.*"}, "poor": {"other.read"}}
    token = (bearer or session).reveal()
    if token not in permissions:
        return None
    actor = Actor(id=token, kind="key", name=token, permissions=frozenset(permissions[token]))
    return Proof(actor=actor, project="default")


@pytest.fixture
def app(ctx):
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install(app, [make_router()])
    install_error_answers(app)
    app.state.context = ctx
    app.state.prover = prove
    return app


@pytest.fixture
def client(app, settings):
    return AsgiClient(Shield(app, door="public", settings=settings))


def test_a_route_without_a_permission_cannot_be_declared():
    router = Router(tag="things")

    with pytest.raises(TypeError, match="permission"):
        router.get("/x", returns=Thing)
    for permission in ("", "things", "*", None):
        with pytest.raises(UnguardedRouteError, match="no permission"):
            router.get("/x", permission=permission, returns=Thing)


def test_an_application_with_a_route_from_elsewhere_does_not_start(app):
    refuse_unguarded(app, KNOWN)

    @app.get("/backdoor")
    async def backdoor() -> str:
        return "hello"

    with pytest.raises(UnguardedRouteError, match="/backdoor"):
        refuse_unguarded(app, KNOWN)


def test_an_application_with_a_permission_that_nobody_gives_does_not_start(app):
    with pytest.raises(UnguardedRouteError, match="no role could give"):
        refuse_unguarded(app, KNOWN - {"things.read"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer wrong"}, 401), ({"authorization": "Basic good"}, 401),
     ({"authorization": "Bearer poor"}, 403), ({"authorization": "Bearer reader"}, 200), (KEY, 200)],
)  # fmt: skip
async def test_a_route_answers_those_who_have_its_permission(client, headers, status):
    assert (await client.get("/api/things", headers=headers)).status == status


async def test_a_public_route_answers_anyone_and_a_known_one_whoever_is_known(client):
    assert (await client.get("/api/things/open")).json()["name"] == "anonymous"
    assert (await client.get("/api/things/known")).status == 401
    assert (await client.get("/api/things/known", headers={"authorization": "Bearer poor"})).json()["name"] == "poor"


async def test_a_body_becomes_a_record(client):
    answered = await client.post("/api/things", {"name": "a", "size": 3}, headers=KEY)

    assert answered.status == 201
    assert answered.json() == {"name": "a", "size": 3}


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"not json", "body_not_json", "not JSON"),
        (b"", "body_not_json", "not JSON"),
        (b'{"name": "\xff"}', "body_not_json", "not JSON"),
        (b'{"name": 5}', "invalid_input", "name: expected str, got int"),
        (b'{"size": 5}', "invalid_input", "name"),
        (b'{"name": "a", "colour": 1}', "invalid_input", "colour"),
        (b"[" * 65 + b"]" * 65, "body_too_deep", "more than 64 deep"),
        (b"[" * 100_000, "body_too_deep", "more than 64 deep"),
    ],
)
async def test_a_bad_body_is_refused_with_the_reason(client, body, code, says):
    answered = await client.post("/api/things", body=body, headers=KEY | {"content-type": "application/json"})

    assert answered.status == 400
    assert answered.json()["error"]["code"] == code
    assert says in answered.json()["error"]["message"]


async def test_a_body_that_is_not_declared_as_json_is_refused(client):
    answered = await client.post("/api/things", body=b'{"name": "a"}', headers=KEY | {"content-type": "text/plain"})

    assert answered.status == 415
    assert answered.json()["error"]["code"] == "wrong_media_type"


@pytest.mark.parametrize("told", ["200", "0"])
async def test_a_body_above_the_cap_is_refused_whatever_its_length_said(app, settings, told):
    small = msgspec.structs.replace(settings, max_body_bytes=100)
    client = AsgiClient(Shield(app, door="public", settings=small))

    answered = await client.post(
        "/api/things",
        body=b'"' + b"x" * 198 + b'"',
        headers=KEY | {"content-type": "application/json", "content-length": told},
    )

    assert answered.status == 413
    assert answered.json()["error"]["code"] == "body_too_large"


async def test_errors_have_one_envelope(client):
    gone = await client.delete("/api/things/x", headers=KEY)
    nowhere = await client.get("/api/nowhere")
    wrong_method = await client.send("PUT", "/api/things", headers=KEY)
    wrong_parameter = await client.get("/api/things?limit=many", headers=KEY)

    assert gone.json() == {"error": {"code": "not_found", "message": "no thing x", "next_step": "look at the list"}}
    assert (nowhere.status, nowhere.json()["error"]["code"]) == (404, "not_found")
    assert (wrong_method.status, wrong_method.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong_parameter.status == 400
    assert "limit" in wrong_parameter.json()["error"]["message"]


async def test_an_unforeseen_error_tells_the_caller_nothing_but_where_to_look(client, caplog):
    with caplog.at_level(logging.CRITICAL):
        answered = await client.get("/api/things/broken", headers={"x-request-id": "req-7"})

    assert answered.status == 500
    assert "private" not in answered.text
    assert "req-7" in answered.json()["error"]["message"]


async def test_two_who_make_the_same_at_once_are_told_so_and_neither_meets_a_failure_of_ours(client):
    answered = await client.get("/api/things/twin")

    assert (answered.status, answered.json()["error"]["code"]) == (409, "changed_meanwhile")
    assert "private" not in answered.text


@pytest.mark.parametrize("path", ["/api/things", "/api/things/open", "/api/nowhere", "/api/things/broken", "/nowhere"])
async def test_every_answer_has_the_security_headers(client, caplog, path):
    with caplog.at_level(logging.CRITICAL):
        answered = await client.get(path)

    for name, value in SECURITY_HEADERS.items():
        assert answered.header(name) == value
    assert "default-src 'none'" in answered.header("content-security-policy")
    assert answered.header("cache-control") == "no-store"
    assert answered.header("x-request-id")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4000", "127.0.0.1.evil.example", "a b", "127.0.0.1@x", "", "10.0.0.1"]
)
async def test_a_host_that_is_not_ours_is_refused(client, host):
    answered = await client.get("/api/things/open", headers={"host": host})

    assert answered.status == 421
    assert answered.json()["error"]["code"] == "host_refused"
    assert answered.header("content-security-policy")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4000", "127.0.0.1:4000", "[::1]:4000", "fly.example"])
async def test_loopback_and_configured_hosts_are_answered(app, settings, host):
    named = msgspec.structs.replace(settings, allowed_hosts="fly.example, other.example")
    client = AsgiClient(Shield(app, door="public", settings=named))

    assert (await client.get("/api/things/open", headers={"host": host})).status == 200


async def test_bare_addresses_are_answered_once_bound_beyond_loopback(app, settings):
    wide = msgspec.structs.replace(settings, host="0.0.0.0")  # noqa: S104 -- nothing is bound here
    client = AsgiClient(Shield(app, door="public", settings=wide))

    assert (await client.get("/api/things/open", headers={"host": "10.0.0.1:4000"})).status == 200
    assert (await client.get("/api/things/open", headers={"host": "evil.example"})).status == 421


async def test_the_admin_door_is_the_operating_system_user(app, settings):
    client = AsgiClient(Shield(app, door="admin", settings=settings))

    answered = await client.post("/api/things", {"name": "a"}, headers={"host": "flyball"})

    assert answered.status == 201


async def test_a_door_cannot_be_chosen_by_a_header(client):
    answered = await client.get("/api/things", headers={"flyball.door": "admin", "x-flyball-door": "admin"})

    assert answered.status == 401


def test_the_document_describes_every_route(app):
    document = describe(app)

    assert set(document["paths"]) == {
        "/api/things", "/api/things/{name}", "/api/things/open", "/api/things/known", "/api/things/broken", "/api/things/twin",
    }  # fmt: skip
    make = document["paths"]["/api/things"]["post"]
    assert make["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}
    assert make["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}
    assert make["x-flyball-permission"] == "things.write"
    assert "422" not in make["responses"]
    assert "security" not in document["paths"]["/api/things/open"]["get"]


def test_two_rooms_may_give_one_name_to_different_shapes(app):
    first = Router("/api/a", tag="a")
    second = Router("/api/b", tag="b")
    one = msgspec.defstruct("Overview", [("x", int)])
    other = msgspec.defstruct("Overview", [("y", int)])

    @first.get(permission=PUBLIC, returns=Page[one])
    async def show_one() -> None:
        """One."""

    @second.get(permission=PUBLIC, returns=Page[other])
    async def show_other() -> None:
        """Other."""

    install(app, [first, second])

    schemas = describe(app)["components"]["schemas"]
    assert set(schemas["Overview"]["properties"]) == {"x"}
    assert set(schemas["b.Overview"]["properties"]) == {"y"}
    assert schemas["b.Page_Overview_"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/b.Overview"}
