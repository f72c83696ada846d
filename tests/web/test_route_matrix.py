"""Every route x every role x two tenants, generated from the route table: each cell is what the route declares.

A route that is added tomorrow is in it. What a route does beyond its guard is its room's to test.
"""

import re

import pytest

from flyball.audit import service as audit
from flyball.datasets import service as datasets
from flyball.datasets.records import Declaration
from flyball.infra.context import permits
from flyball.infra.db.database import Database
from flyball.kit.secrets import Secret
from flyball.projects import keys, members, own_roles, tenants
from flyball.projects.roles import ROLES
from flyball.secrets import service as secrets
from flyball.surface.http import AUTHENTICATED, PUBLIC
from flyball.surface.http.router import registered

OWN_ROLE = ("datasets.*", "audit.read")
CALLERS = {**ROLES, "clerk": frozenset(OWN_ROLE)}
DENIED = "permission_missing"
MARK = "wombat"  # stands in the name of everything that the other tenant has


def table(application):
    """Every declared route of the application."""
    return [found for route in application.routes if (found := registered(route)) is not None]


def address(route, value="nothing") -> str:
    return re.sub(r"{[^}]*}", value, route.path)


async def key_of(ctx, role: str) -> dict[str, str]:
    _, secret = await keys.create_key(ctx, f"key of {role}", role)
    return {"authorization": f"Bearer {secret.reveal()}", "accept": "application/json"}


def refused_for_lack_of_rights(answered) -> bool:
    return answered.status == 403 and DENIED in answered.text


@pytest.mark.timeout(300)
async def test_every_role_passes_just_the_guards_of_its_permissions(application, public, ctx):
    await own_roles.set_role(ctx, "clerk", OWN_ROLE)
    wrong = []

    for role, permissions in CALLERS.items():
        headers = await key_of(ctx, role)
        for route in table(application):
            if route.method == "DELETE" and route.path == "/api/sessions/current":
                continue  # is for browsers
            answered = await public.send(route.method, address(route), headers=headers)
            may = route.permission in (PUBLIC, AUTHENTICATED) or permits(permissions, route.permission)
            if refused_for_lack_of_rights(answered) is may or answered.status in (401, 500):
                wrong.append(f"{role}: {route.method} {route.path} ({route.permission}) -> {answered.status}")

    assert wrong == []


async def test_nobody_without_a_credential_passes_a_guard(application, public):
    wrong = []

    for route in table(application):
        for headers in ({}, {"authorization": "Bearer flyball_forged"}, {"cookie": "flyball_session=forged"}):
            answered = await public.send(
                route.method,
                address(route),
                headers={"accept": "application/json", "origin": "http://127.0.0.1", **headers},
            )
            if route.permission != PUBLIC and answered.status not in (401, 403):
                wrong.append(f"{route.method} {route.path} -> {answered.status}")

    assert wrong == []


SPELLINGS = {
    "doubled slash": lambda path: path.replace("/", "//"),
    "encoded slash": lambda path: "/" + path[1:].replace("/", "%2f"),
    "encoded letter": lambda path: path[:-1] + f"%{ord(path[-1]):02x}",
    "twice encoded slash": lambda path: "/" + path[1:].replace("/", "%252f"),
    "dot": lambda path: "/." + path,
    "dots of another path": lambda path: f"/healthz/..{path}",
    "dots and semicolon": lambda path: f"/healthz/..;{path}",
    "encoded dots": lambda path: f"/healthz/%2e%2e{path}",
    "backslash": lambda path: f"/healthz\\..{path}",
    "semicolon": lambda path: f"{path};/healthz",
    "trailing slash": lambda path: f"{path}/",
    "upper case": lambda path: path.upper(),
    "fragment": lambda path: f"/healthz%23{path}",
    "question": lambda path: f"{path}?/healthz",
    "null": lambda path: f"{path}%00/healthz",
    "whole address": lambda path: f"/http://127.0.0.1{path}",
}
HEADERS = {
    "host": {"host": "evil.example"},
    "host with a path": {"host": "127.0.0.1/healthz?"},
    "forwarded host": {"x-forwarded-host": "evil.example", "x-forwarded-prefix": "/healthz"},
    "original address": {"x-original-url": "/healthz", "x-rewrite-url": "/healthz"},
    "other verb": {"x-http-method-override": "GET", "x-method-override": "GET"},
    "door": {"x-flyball-door": "admin", "x-flyball-project": "default"},
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
async def test_no_spelling_of_an_address_leads_past_a_guard(application, public, spelling):
    passed = []

    for route in table(application):
        if route.permission == PUBLIC:
            continue
        answered = await public.send(route.method, spelling(address(route)), headers={"accept": "application/json"})
        if answered.status < 400 and not answered.header("location").startswith("/sign-in"):
            passed.append(f"{route.method} {route.path} -> {answered.status}")

    assert passed == []


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
async def test_no_header_leads_past_a_guard(application, public, headers):
    passed = []

    for route in table(application):
        if route.permission == PUBLIC:
            continue
        answered = await public.send(route.method, address(route), headers={"accept": "application/json", **headers})
        if answered.status < 400:
            passed.append(f"{route.method} {route.path} -> {answered.status}")

    assert passed == []


async def test_no_verb_but_the_declared_ones_is_answered(application, admin):
    verbs = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"}
    declared: dict[str, set[str]] = {}
    for route in table(application):
        declared.setdefault(address(route), set()).add(route.method)
    answered_otherwise = []

    for path, known in declared.items():
        for verb in sorted(verbs - known - {"HEAD"}):
            answered = await admin.send(verb, path, headers={"accept": "application/json"})
            if answered.status not in (404, 405):
                others = [one for one in declared if re.fullmatch(one.replace("nothing", "[^/]+"), path)]
                if not any(verb in declared[one] for one in others):
                    answered_otherwise.append(f"{verb} {path} -> {answered.status}")

    assert answered_otherwise == []


@pytest.fixture(params=["both walls", "the queries alone"])
def walls(request, monkeypatch):
    """With and without the database's own guard: each query has to name its project, whatever stands behind it."""
    if request.param == "the queries alone":
        monkeypatch.setattr(Database, "bound_to", lambda self, _project: self.across_projects())


@pytest.fixture
async def other(walls, ctx):
    """Another tenant with something of everything, each thing marked; and the ids that it has."""
    project = await tenants.create_project(ctx, MARK)
    inside = ctx.within(project.id, ctx.actor)
    key, _ = await keys.create_key(inside, f"{MARK}-key")
    member = await members.add_member(inside, f"{MARK}-member", "viewer")
    await own_roles.set_role(inside, f"{MARK}-role", ("datasets.read",))
    async with inside.db.transaction() as connection:
        await datasets.declare(connection, inside, f"{MARK}-dataset", Declaration(source="jsonl", location="/nowhere"))
    await secrets.set_secret(inside, f"{MARK}-secret", Secret("s3cr3t"), hosts=("example.org",))
    event = (await audit.list_events(inside)).items[0]
    return [
        key.id,
        member.id,
        project.id,
        event.hash,
        f"{MARK}-key",
        f"{MARK}-member",
        f"{MARK}-role",
        f"{MARK}-dataset",
        f"{MARK}-secret",
        MARK,
    ]


async def test_no_route_shows_one_tenant_anything_of_another(application, public, ctx, other):
    headers = await key_of(ctx, "owner")
    shown = []

    for route in table(application):
        if route.method != "GET":
            continue
        for value in other if "{" in route.path else [""]:
            public.cookies.clear()  # a notice may repeat what the request before asked for
            answered = await public.get(address(route, value), headers=headers)
            said = (
                answered.text.replace(value, "") if value else answered.text
            )  # an error may repeat what was asked for
            if MARK in said or answered.status >= 500:
                shown.append(f"{route.path} with {value!r} -> {answered.status}")

    assert shown == []
    assert len(other) == 10


async def test_no_route_changes_anything_of_another_tenants(application, public, ctx, other):
    headers = await key_of(ctx, "owner")
    project = next(one for one in other if one.startswith("prj_"))
    inside = ctx.within(project, ctx.actor)
    before = (await audit.list_events(inside)).items

    for route in table(application):
        if route.method == "GET" or "{" not in route.path:
            continue
        for value in other:
            answered = await public.send(route.method, address(route, value), headers=headers, body=b"{}")
            assert answered.status < 500, f"{route.method} {route.path} with {value!r}"

    assert (await audit.list_events(inside)).items == before
