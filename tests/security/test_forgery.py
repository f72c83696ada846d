"""No other site has a browser change anything: every route that changes something, with a session that is valid, from every origin that is not ours."""

import pytest

from .routes import address, all_routes, changing, named

pytestmark = pytest.mark.usefixtures("nobody_waits_for_traces")

FOREIGN = ["https://evil.example", "http://127.0.0.1:4001", "https://127.0.0.1:4000.evil.example", "http://127.0.0.1:4000.evil.example", "http://evil.example:4000", "http://127.0.0.1", "null", "http://localhost:4000", "http://[::1]:4000", "file://", "http://127.0.0.1:4000@evil.example", "http://evil.example/127.0.0.1:4000"]  # fmt: skip
FORGED = [
    *({"origin": origin} for origin in FOREIGN),
    *({"origin": origin, "content-type": "text/plain"} for origin in FOREIGN[:2]),
    {"referer": "https://evil.example/127.0.0.1:4000/"},
    {"referer": "http://127.0.0.1:4000.evil.example/"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:4000"},
    {"sec-fetch-site": "anything"},
    {},
    *({"content-type": media} for media in ("text/plain", "multipart/form-data; boundary=x", "text/plain; application/json", "application/x-www-form-urlencoded")),
    *({"x-flyball-csrf": token} for token in ("", "0" * 64, "null", "\xff", "a" * 10_000)),
]  # fmt: skip


async def test_no_other_site_changes_anything(application, browser, changes):
    before, done = await changes(), []
    for headers in FORGED:
        for route in changing(application):
            sent = {"content-type": "application/json"} | headers
            answered = await browser.send(route.method, address(route), body=b"{}", headers=sent)
            if answered.status not in (400, 403):  # 400: a form that cannot be read has no token
                done.append(f"{named(route)} with {headers!r:.80}: {answered.status}")

    assert done == []
    assert await changes() == before


async def test_a_token_of_another_session_is_worth_nothing(application, browser, public):
    token = (await public.get("/sign-in")).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert len(token) == 64

    for route in changing(application):
        answered = await browser.send(route.method, address(route), json={}, headers={"x-flyball-csrf": token})
        assert answered.status == 403, named(route)


async def test_looking_changes_nothing(application, browser, changes):
    before = await changes()
    for route in all_routes(application):
        if route.method == "GET":
            await browser.get(address(route))

    assert await changes() == before
