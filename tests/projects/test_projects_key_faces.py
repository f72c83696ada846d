"""Keys over HTTP: the API and the pages; a key's secret is in one answer, and whoever may not see keys sees none."""

import pytest

from flyball.projects import keys
from flyball.projects.key_records import KeyLimits
from flyball.projects.keys import KeyGrant


@pytest.fixture
def post(admin):
    """Send a form as a page does."""

    async def post(path, **fields):
        return await admin.post(path, form=fields)

    return post


async def test_a_key_with_everything_is_made_shown_rotated_and_revoked_over_the_api(admin):
    new = {
        "name": "desk", "scopes": ["gateway.call"], "expires": "90d", "models": ["fast"], "functions": ["triage"],
        "addresses": ["203.0.113.7"],
    }  # fmt: skip
    made = (await admin.post("/api/keys", new)).json()
    shown = await admin.get("/api/keys/desk")
    rotated = (await admin.post("/api/keys/desk/rotations", {"overlap": "1h"})).json()
    listed = (await admin.get("/api/keys?text=des&state=usable&kind=service")).json()["items"]
    gone = await admin.delete(f"/api/keys/{rotated['old']['id']}")

    assert made["key"] not in shown.text
    assert [shown.json()[field] for field in ("permissions", "models", "functions", "addresses", "kind")] == [
        ["gateway.call"], ["fast"], ["triage"], ["203.0.113.7/32"], "service",
    ]  # fmt: skip
    assert rotated["new"]["key"] not in (made["key"], "")
    assert rotated["new"]["replaces"] == made["id"] == rotated["old"]["id"]
    assert [key["id"] for key in listed] == [rotated["new"]["id"], made["id"]]
    assert gone.json()["revoked_ns"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"scopes": ["nope.read"]}, 400, "unknown_permission"),
        ({"scopes": ["traces.read"], "role": "viewer"}, 400, "invalid_input"),
        ({"role": "king"}, 400, "unknown_role"),
        ({"expires": "2020-01-01"}, 400, "invalid_input"),
        ({"addresses": ["10.0.0.1/8"]}, 400, "invalid_input"),
        ({"kind": "royal"}, 400, "invalid_input"),
        ({"permissions": ["*"]}, 400, "invalid_input"),
        ({"project": "other"}, 400, "invalid_input"),
        ({"member": "maria"}, 400, "invalid_input"),
        ({"kind": "personal", "member": "nobody"}, 404, "member_not_found"),
        ({"name": "b\u0456lling"}, 400, "invalid_name"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_made(admin, change, status, code):
    answer = await admin.post("/api/keys", {"name": "k"} | change)

    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert (await admin.get("/api/keys")).json()["items"] == []


async def test_the_control_api_looks_at_expiry_and_addresses_and_takes_no_key_from_an_address(ctx, public):
    limits = KeyLimits(addresses=("203.0.113.0/24",))
    _, narrow = await keys.create_key(ctx, "narrow", grant=KeyGrant(role="viewer", limits=limits))
    _, over = await keys.create_key(ctx, "over", "viewer")
    async with ctx.db.connection() as connection:
        await connection.execute("update keys set expires_ns = 1 where name = 'over'")

    async def asked(secret, path="/api/me", **headers):
        sent = {"authorization": f"Bearer {secret.reveal()}"} if secret else {}
        return (await public.get(path, headers=sent | headers)).status

    assert await asked(narrow, **{"x-forwarded-for": "203.0.113.7"}) == 200
    assert await asked(narrow, **{"x-forwarded-for": "198.51.100.7"}) == 401
    assert await asked(narrow) == 401
    assert await asked(over) == 401
    assert await asked(None, f"/api/me?key={narrow.reveal()}", **{"x-forwarded-for": "203.0.113.7"}) == 401


async def test_a_key_without_the_right_to_see_or_make_keys_does_neither(ctx, public):
    _, secret = await keys.create_key(ctx, "app")
    key = {"authorization": f"Bearer {secret.reveal()}"}

    answers = [
        await public.get("/api/keys", headers=key),
        await public.get("/api/keys/app", headers=key),
        await public.get("/keys", headers=key),
        await public.get("/keys/new", headers=key),
        await public.post("/api/keys", {"name": "x"}, headers=key),
        await public.post("/api/keys/app/rotations", {}, headers=key),
        await public.delete("/api/keys/app", headers=key),
    ]

    assert {answer.status for answer in answers} == {403}


async def test_the_form_makes_a_key_and_shows_its_secret_once(admin, post):
    fields = {"name": "desk", "role": "", "scope.gateway.call": "on", "expires": "90d", "models": "fast, smart  slow"}

    made = await post("/keys/new", **fields, addresses="10.0.0.0/8")

    [key] = (await admin.get("/api/keys")).json()["items"]
    assert key["permissions"] == ["gateway.call"]
    assert key["models"] == ["fast", "slow", "smart"]
    assert made.text.count("it is shown this once") == 1
    assert key["prefix"] in made.text
    assert "it is shown this once" not in (await admin.get(f"/keys/{key['id']}")).text


async def test_a_form_with_a_mistake_comes_back_as_it_was_filled_in(admin, post):
    fields = {"name": "desk", "role": "", "scope.gateway.call": "on", "models": "<b>fast</b>"}

    wrong = await post("/keys/new", **fields, expires="yesterday")
    nothing = await post("/keys/new", name="desk", role="")

    assert "neither a date nor a span of time" in wrong.text
    for kept in ('value="desk"', 'value="yesterday"', 'name="scope.gateway.call" checked', "&lt;b&gt;fast&lt;/b&gt;"):
        assert kept in wrong.text
    assert "Choose a role, or at least one scope." in nothing.text
    assert (await admin.get("/api/keys")).json()["items"] == []


async def test_the_page_of_a_key_rotates_it_and_leads_from_the_old_one_to_the_new(admin, post):
    made = (await admin.post("/api/keys", {"name": "desk", "expires": "90d"})).json()

    rotated = await post(f"/keys/{made['id']}/rotation", overlap="2h", expires="")
    again = await post(f"/keys/{made['id']}/rotation", overlap="2h", expires="")

    [new] = [key for key in (await admin.get("/api/keys")).json()["items"] if not key["replaced_ns"]]
    assert new["prefix"] in rotated.text
    assert made["prefix"] in rotated.text
    assert again.status == 303
    assert f'href="/keys/{new["id"]}"' in (await admin.get(f"/keys/{made['id']}")).text


async def test_the_list_is_filtered_paged_and_empty_with_the_next_command(admin, ctx):
    assert "flyball keys create my-app" in (await admin.get("/keys")).text
    for number in range(53):
        await keys.create_key(ctx, f"k-{number:02}")

    first = (await admin.get("/keys")).text
    older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = (await admin.get(older)).text

    assert ("k-52" in first, "k-02" in first) == (True, False)
    assert ("k-52" in second, "k-02" in second) == (False, True)
    assert "k-17" in (await admin.get("/keys?text=-17&state=usable")).text
    assert "No key fits" in (await admin.get("/keys?state=ended")).text
    assert (await admin.get("/keys?state=nonsense&kind=%00&text=%00")).status < 500
