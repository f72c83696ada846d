"""The control application as a whole: probes, its description, and rules that hold for every route of every room."""

import pytest

from flyball.identity import sign_in
from flyball.kit.secrets import Secret
from flyball.projects.roles import PERMISSIONS
from flyball.surface.http import AUTHENTICATED, PUBLIC
from flyball.surface.http.router import registered


async def test_the_process_says_that_it_lives_and_that_it_can_work(public):
    assert (await public.get("/healthz")).json() == {"status": "ok"}
    assert (await public.get("/readyz")).json() == {"status": "ok"}


async def test_it_is_not_ready_when_the_database_is_away(public, database):
    await database.close()

    answered = await public.get("/readyz")

    assert answered.status == 503
    assert answered.json()["error"]["code"]
    assert (await public.get("/healthz")).status == 200


async def test_its_api_is_described_without_remote_assets(public):
    answered = await public.get("/api/openapi.json")

    document = answered.json()
    assert document["openapi"].startswith("3.")
    assert "/api/keys" in document["paths"]
    assert (await public.get("/docs")).status == 404
    assert (await public.get("/redoc")).status == 404


def test_every_api_route_is_documented_with_its_answer(application):
    undocumented = [
        f"{found.method} {found.path}"
        for route in application.routes
        if (found := registered(route)) and found.path.startswith("/api/")
        if not (found.documented and found.endpoint.__doc__ and (found.returns is not None or found.status == 204))
    ]

    assert undocumented == []


def test_every_permission_that_a_route_asks_for_is_in_the_table_of_roles(application):
    asked = {found.permission for route in application.routes if (found := registered(route))}

    assert asked - PERMISSIONS - {PUBLIC, AUTHENTICATED} == set()


OPEN_TO_ANYONE = {
    "GET /healthz",
    "GET /readyz",
    "GET /api/openapi.json",
    "GET /static/{digest}/{name}",
    "POST /api/sessions",
    "GET /api/public/health",
    "PUT /api/public/media/content/{ticket}",
    "GET /api/public/media/content/{ticket}",
    "GET /sign-in",
    "POST /sign-in",
    "GET /sign-in/{token}",
    "GET /sign-in/code",
    "POST /sign-in/code",
    "GET /sign-in/to",
    "GET /sign-in/to/{organisation}",
    "GET /sign-in/with/{name}",
    "GET /sign-in/with/{name}/return",
    "GET /signed-out/{name}",
    "GET /invitations/{token}",
    "POST /invitations/{token}",
}


def test_only_these_routes_are_open_to_anyone(application):
    found = {
        f"{route.method} {route.path}"
        for each in application.routes
        if (route := registered(each)) and route.permission == PUBLIC
    }

    assert found - OPEN_TO_ANYONE == set()


def guarded_routes(application):
    routes = [found for route in application.routes if (found := registered(route))]
    return [
        (route.method, "/".join("x" if "{" in part else part for part in route.path.split("/")), route)
        for route in routes
    ]


async def test_every_guarded_route_refuses_a_stranger_before_it_reads_anything(application, public):
    answers = {}
    for method, path, route in guarded_routes(application):
        if route.permission != PUBLIC:
            answered = await public.send(
                method, path, body=b"not even json", headers={"authorization": "Bearer nobody"}
            )
            answers[f"{method} {path}"] = answered.status

    assert answers
    assert set(answers.values()) == {401}


async def test_every_changing_route_refuses_a_browser_whose_cookie_comes_from_another_site(application, public, admin):
    link = (await admin.post("/api/sign-in-links", {})).json()
    signed_in = await sign_in.use_sign_in_link(application.state.context, Secret(link["path"].rpartition("/")[2]))
    public.cookies["flyball_session"] = signed_in.token.reveal()

    answers = {}
    for method, path, _ in guarded_routes(application):
        if method != "GET":
            for origin in ({"origin": "https://evil.example"}, {}, {"sec-fetch-site": "same-site"}):
                answered = await public.send(method, path, body=b"{}", headers=origin)
                answers[f"{method} {path} {origin}"] = answered.status

    assert answers
    assert {name: status for name, status in answers.items() if status not in (403, 415)} == {}


@pytest.mark.parametrize("path", ["/api/keys", "/api/audit/events", "/nowhere", "/healthz"])
async def test_every_answer_has_the_content_security_policy(public, path):
    assert "default-src 'none'" in (await public.get(path)).header("content-security-policy")


async def test_the_api_is_a_page_too(admin):
    answered = await admin.get("/reference", headers={"accept": "text/html"})

    assert answered.status == 200
    assert "/api/keys/{id_or_name}" in answered.text
    assert "http://" not in answered.text
    assert "https://" not in answered.text
