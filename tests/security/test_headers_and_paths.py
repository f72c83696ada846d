"""Whoever is not let in at a route's own address is not let in by another spelling of it, nor by a header that claims something."""

import pytest

from flyball.infra.context import permits
from flyball.projects.roles import ROLES
from flyball.surface.http.identity import AUTHENTICATED, PUBLIC

from .routes import CHANGING, address, all_routes, changing, guarded, named

pytestmark = pytest.mark.usefixtures("nobody_waits_for_traces")

HEADERS = {
    "another path, for those who rewrite": {"x-original-url": "/healthz", "x-rewrite-url": "/healthz", "x-original-uri": "/healthz"},
    "another method": {"x-http-method-override": "GET", "x-http-method": "GET", "x-method-override": "GET"},
    "a proxy's word of who asks": {"x-forwarded-user": "administrator", "x-remote-user": "administrator", "remote-user": "administrator", "x-auth-request-user": "administrator"},
    "a proxy's word of where from": {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "forwarded": "for=127.0.0.1;host=localhost;proto=https", "x-client-ip": "127.0.0.1", "true-client-ip": "127.0.0.1"},
    "a proxy's word of the host": {"x-forwarded-host": "localhost", "x-host": "localhost", "x-forwarded-server": "localhost"},
    "another door": {"x-flyball-door": "admin", "x-flyball-project": "default", "x-forwarded-prefix": "/healthz"},
    "a service account of ours": {"x-flyball-actor": "local:0", "x-flyball-context": "admin", "x-request-id": "local:0"},
    "credentials of other kinds": {"authorization": "Basic YWRtaW5pc3RyYXRvcjo="},
    "an empty bearer": {"authorization": "Bearer "},
    "a bearer of nothing": {"authorization": "Bearer null"},
    "a bearer that is long": {"authorization": "Bearer " + "a" * 8000},
    "a bearer that is not ASCII": {"authorization": "Bearer \xff\xfe"},
    "a cookie of nothing": {"cookie": "flyball_session="},
    "a cookie of two": {"cookie": "flyball_session=a; flyball_session=b"},
    "cookies that quote": {"cookie": 'flyball_session="a\\073 b"; x="'},
}  # fmt: skip
SPELLINGS = {
    "a slash more": lambda path: "/" + path,
    "slashes inside": lambda path: path.replace("/", "//"),
    "a slash at the end": lambda path: path + "/",
    "a dot": lambda path: "/." + path,
    "there and back": lambda path: "/healthz/.." + path,
    "there and back, encoded": lambda path: "/healthz/%2e%2e" + path,
    "there and back, all encoded": lambda path: "/healthz%2f..%2f" + path.lstrip("/"),
    "parameters of a path": lambda path: "/healthz/..;" + path,
    "parameters at the end": lambda path: path + ";x=.css",
    "a suffix of a file": lambda path: path + ".css",
    "a suffix behind NUL": lambda path: path + "%00.css",
    "a question that is encoded": lambda path: path + "%3fx",
    "a fragment": lambda path: path + "%23",
    "capitals": lambda path: path.upper(),
    "encoded letters": lambda path: "/" + "".join(f"%{ord(char):02x}" if char.isalpha() else char for char in path[1:]),
    "encoded twice": lambda path: path.replace("/", "%252f"),
    "encoded slashes": lambda path: "/" + path[1:].replace("/", "%2f"),
    "backslashes": lambda path: path.replace("/", "\\"),
    "encoded backslashes": lambda path: path.replace("/", "%5c"),
    "an overlong slash": lambda path: path.replace("/", "%c0%af"),
    "a full-width slash": lambda path: path.replace("/", "%ef%bc%8f"),
    "white space": lambda path: path + "%20",
    "a line feed": lambda path: path + "%0a",
    "below something public": lambda path: "/static" + path,
    "below the model API": lambda path: "/v1/.." + path,
}  # fmt: skip
REFUSALS = {303, 307, 400, 401, 403, 404, 405, 413, 415, 421, 422}


def let_in(answered) -> bool:
    """Whether a stranger got anything but a refusal, or the way to the sign-in."""
    if answered.status == 303:
        return not answered.header("location").startswith("/sign-in")
    return answered.status not in REFUSALS


async def test_no_header_lets_a_stranger_in(application, public):
    inside = []
    for what, headers in HEADERS.items():
        for route in guarded(application):
            answered = await public.send(route.method, address(route), headers=headers)
            if let_in(answered):
                inside.append(f"{named(route)} with {what}: {answered.status}")

    assert inside == []


async def test_no_spelling_lets_a_stranger_in(application, public):
    inside = []
    for spell in SPELLINGS.values():
        for route in guarded(application):
            path = spell(address(route))
            answered = await public.send(route.method, path)
            if let_in(answered):
                inside.append(f"{named(route)} as {path}: {answered.status}")

    assert inside == []


@pytest.mark.parametrize("role", ["viewer", "application"])
async def test_no_spelling_and_no_header_gives_a_role_what_it_lacks(application, key_of, role, changes):
    client = await key_of(role)
    lacking = [
        route
        for route in changing(application)
        if route.permission not in (PUBLIC, AUTHENTICATED) and not permits(ROLES[role], route.permission)
    ]
    before = await changes()
    for route in lacking:
        assert (await client.send(route.method, address(route), json={})).status in (401, 403), named(route)
        for spell in SPELLINGS.values():
            assert (await client.send(route.method, spell(address(route)), json={})).status in REFUSALS, named(route)
        for method in ("GET", "POST"):
            told = {"x-http-method-override": route.method, "x-method-override": route.method}
            await client.send(method, f"{address(route)}?_method={route.method}", json={}, headers=told)

    assert lacking
    assert await changes() == before


async def test_no_other_method_reaches_a_guarded_route(application, public):
    inside = []
    for method in ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "get", "GET\x00", "DEBUG"):
        for route in guarded(application):
            if method not in {other.method for other in all_routes(application) if other.path == route.path}:
                answered = await public.send(method, address(route))
                inside += [f"{method} {route.path}: {answered.status}"] if let_in(answered) else []

    assert inside == []


FOREIGN_HOSTS = ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "localhost.evil.example", "evil.example:4000", "localhost:4000@evil.example", "127.0.0.1:4000/x", "", "localhost,evil.example", "[::1].evil.example", "127.0.0.1:99999999", "127.0.0.1:", "\x00localhost", "localhost\t", "LOCALHOST.", "0x7f.1", "2130706433", "127.1", "%6cocalhost"]  # fmt: skip


async def test_no_host_but_ours_is_answered_anywhere(application, public):
    answered = [
        (host, named(route), (await public.send(route.method, address(route), headers={"host": host})).status)
        for host in FOREIGN_HOSTS
        for route in all_routes(application)
    ]

    assert [each for each in answered if each[2] != 421] == []


async def test_our_own_hosts_are_answered(public):
    for host in ("localhost", "LocalHost:4000", "127.0.0.1", "[::1]:4000"):
        assert (await public.get("/healthz", headers={"host": host})).status == 200


def test_every_method_that_changes_something_is_attacked(application):
    assert {route.method for route in all_routes(application)} - {"GET"} <= set(CHANGING)
