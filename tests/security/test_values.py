"""Values that lead elsewhere, in every parameter of every route: no file is read, no SQL is made of them, no template is run, nothing fails."""

import psycopg
import pytest

from .routes import address, all_routes, changing, named, with_all_parameters, with_each_parameter

pytestmark = pytest.mark.usefixtures("nobody_waits_for_traces")

CANARY = "canary-6f1d2c"
UPWARDS = [
    "../canary.txt", "..%2fcanary.txt", "..%252fcanary.txt", "%2e%2e%2fcanary.txt", "..%5ccanary.txt", "....%2f%2fcanary.txt", "..%c0%afcanary.txt", "%2fetc%2fpasswd",
    "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "file:%2f%2f%2fetc%2fpasswd", "canary.txt%23", "canary.txt%00.html", "..;%2fcanary.txt", "~%2fcanary.txt", "C:%5ccanary.txt",
    "%5c%5cserver%5cshare", "%2fproc%2fself%2fenviron", ".", "..", "%2e", "%2e%2e", "...", "%00", "a%2f..%2f..%2fcanary.txt",
]  # fmt: skip
TEMPLATES = [
    "%7b%7b7*191%7d%7d",
    "$%7b7*191%7d",
    "%7b%25%20for%20x%20in%20().__class__%25%7d",
    "%23%7b7*191%7d",
    "%3c%25=7*191%25%3e",
    "{0.__class__}",
    "%25(x)s",
]
MARK = "zq7mark"
QUOTES = [
    f"{MARK}'",
    f"{MARK}%22",
    f"{MARK}%5c'",
    f"{MARK}';select%20pg_sleep(9)--",
    f"{MARK}')%20or%201=1--",
    f"{MARK}%25s%25(x)s%25%25",
    f"{MARK}$$",
    f"{MARK}{{}}",
    f"{MARK}%EF%BC%87",
]


@pytest.fixture
def canaries(layout):
    """Files beside what routes serve, in the data directory and above it."""
    places = [
        layout.root / "canary.txt",
        layout.root.parent / "canary.txt",
        *(folder / "canary.txt" for folder in (layout.blobs, layout.lake, layout.code, layout.staging, layout.logs)),
    ]
    for place in places:
        place.write_text(CANARY)
    yield
    for place in places:
        place.unlink(missing_ok=True)


async def test_no_value_leads_to_a_file(application, admin, canaries):
    wrong = []
    for route in all_routes(application):
        for value in UPWARDS:
            for path in {address(route, value), with_all_parameters(route, value)} - {route.path}:
                answered = await admin.send(
                    route.method, path, body=b"{}", headers={"content-type": "application/json"}
                )
                if answered.status >= 500 or CANARY.encode() in answered.body or b"root:x:0:0" in answered.body:
                    wrong.append(f"{named(route)} with {value}: {answered.status}")

    assert wrong == []


async def test_no_static_address_leads_out_of_its_folder(public, canaries):
    for value in [
        *UPWARDS,
        "..%2f..%2frendering.py",
        "%2e%2e/%2e%2e/pages.py",
        "..%2ftemplates%2fsurface%2flayout.html",
    ]:
        for start in ("/static/", "/static//", "/static/x/", "/static"):
            assert (await public.get(start + value)).status in (303, 400, 401, 404, 405), value


async def test_no_value_is_part_of_a_statement(application, admin, monkeypatch):
    texts = []
    for kind in (psycopg.AsyncConnection, psycopg.AsyncCursor):
        original = kind.execute

        async def execute(self, query, *more, _original=original, **named_ones):
            texts.append(str(query))
            return await _original(self, query, *more, **named_ones)

        monkeypatch.setattr(kind, "execute", execute)

    failed = []
    for route in all_routes(application):
        for value in QUOTES:
            for path in with_each_parameter(route, value):
                answered = await admin.send(
                    route.method, path, body=b"{}", headers={"content-type": "application/json"}
                )
                failed += [f"{named(route)} with {value}: {answered.status}"] if answered.status >= 500 else []

    assert len(texts) > 100
    assert [text for text in texts if MARK in text] == []
    assert failed == []


async def test_no_value_is_run_as_a_template(application, admin):
    run = []
    for route in all_routes(application):
        for value in TEMPLATES:
            for path in {address(route, value), with_all_parameters(route, value)} - {route.path}:
                answered = await admin.send(
                    route.method, path, body=b"{}", headers={"content-type": "application/json", "accept": "text/html"}
                )
                run += [f"{named(route)} with {value}"] if b"1337" in answered.body or answered.status >= 500 else []

    assert run == []


KEYS = [
    "__class__",
    "__proto__",
    "constructor",
    "__init__",
    "__globals__",
    "lc",
    "$ref",
    "py/object",
    "!!python/object",
    "_sa_instance_state",
    "self",
    "ctx",
    "request",
    "",
    "\u0000",
    "a.b",
    "a[b]",
]


async def test_no_key_of_a_body_becomes_an_attribute(application, admin):
    failed = []
    for route in changing(application):
        for key in KEYS:
            body = {
                key: {
                    "__class__": {"__init__": {"__globals__": 1}},
                    "lc": 1,
                    "type": "constructor",
                    "id": ["os", "system"],
                }
            }
            answered = await admin.send(route.method, address(route), json=body)
            failed += [f"{named(route)} with {key!r}: {answered.status}"] if answered.status >= 500 else []

    assert failed == []
