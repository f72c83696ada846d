"""What every answer has, whatever the route and whatever went wrong: a type that is fixed, no sniffing, no frame, no script but ours."""

import re
from html.parser import HTMLParser

import pytest

from .routes import address, all_routes, named

pytestmark = pytest.mark.usefixtures("nobody_waits_for_traces")

TYPES = {"application/json", "application/octet-stream", "text/html; charset=utf-8", "text/plain; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/svg+xml", "application/x-ndjson", "application/jsonl", "application/x-ndjson; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"}  # fmt: skip
MUST = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = (  # to the letter: nothing from elsewhere, no form that leads away, no frame around us, no other base for our links
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SCRIPT = "<script>alert(1)</script>"


class Markup(HTMLParser):
    """Finds what runs: scripts that bring their text, handlers, addresses that are programs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.runs: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        names = [
            name
            for name, value in attrs
            if name.startswith("on") or (value or "").lstrip().lower().startswith("javascript:")
        ]
        self.runs += names
        if tag == "script" and "src" not in dict(attrs):
            self.runs.append(tag)


def complaints(route, answered):
    policy = answered.header("content-security-policy")
    if [name for name, value in MUST.items() if answered.header(name) != value]:
        yield f"{named(route)} lacks headers"
    if policy != POLICY:
        yield f"{named(route)} has the policy {policy}"
    if answered.body and answered.header("content-type") not in TYPES:
        yield f"{named(route)} answers with {answered.header('content-type')!r}"
    if "server" in answered.headers or "x-powered-by" in answered.headers:
        yield f"{named(route)} says what it runs on"
    if answered.header("cache-control") == "" or (
        "public" in answered.header("cache-control") and not route.path.startswith("/static")
    ):
        yield f"{named(route)} may be kept by others"


async def test_every_answer_is_sealed(application, admin, public):
    found = []
    for route in all_routes(application):
        for client in (admin, public):
            for accept in ("application/json", "text/html"):
                found += complaints(
                    route, await client.send(route.method, address(route), json={}, headers={"accept": accept})
                )

    assert found == []


async def test_errors_of_the_framework_are_sealed_too(application, public, admin):
    [route, *_] = all_routes(application)
    for client in (public, admin):
        for method, path, headers in (
            ("GET", "/nowhere", {}),
            ("PATCH", "/healthz", {}),
            ("GET", "/healthz", {"host": "evil.example"}),
            ("POST", "/api/keys", {"content-length": "99999999999"}),
            ("GET", "/" + "x" * 5000, {}),
        ):
            assert [*complaints(route, await client.send(method, path, headers=headers))] == []


async def test_no_value_comes_back_as_markup(application, admin):
    echoed = []
    value = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%20onload%3Dx"
    for route in all_routes(application):
        answered = await admin.send(
            route.method,
            f"{address(route, value)}?next={value}&text={value}&name={value}&cursor={value}",
            json={},
            headers={"accept": "text/html", "referer": SCRIPT},
        )
        if answered.header("content-type").startswith("text/html") and Markup(answered.text).runs:
            echoed.append(named(route))

    assert echoed == []


async def test_pages_load_nothing_from_elsewhere(application, admin):
    remote = re.compile(
        rb"""(?:src|href|action|srcset|poster|data)\s*=\s*["']?(?:https?:)?//|@import|url\(\s*["']?(?:https?:)?//""",
        re.IGNORECASE,
    )
    loading = []
    for route in all_routes(application):
        if route.method == "GET":
            answered = await admin.send("GET", address(route), headers={"accept": "text/html"})
            if answered.header("content-type").startswith(("text/html", "text/css")) and remote.search(answered.body):
                loading.append(named(route))

    assert loading == []
