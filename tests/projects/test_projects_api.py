"""Keys, sessions and the audit record over HTTP."""

from flyball.identity import sign_in
from flyball.kit.secrets import Secret

ORIGIN = {"origin": "http://127.0.0.1:4000"}


async def make_key(admin, name="app", role="application") -> dict[str, str]:
    made = await admin.post("/api/keys", {"name": name, "role": role})
    return {"authorization": f"Bearer {made.json()['key']}"}


async def test_a_key_is_shown_once(admin):
    made = await admin.post("/api/keys", {"name": "app"})
    listed = await admin.get("/api/keys")

    assert made.status == 201
    assert made.json()["key"].startswith("flyball_")
    assert [key["name"] for key in listed.json()["items"]] == ["app"]
    assert made.json()["key"] not in listed.text


async def test_a_key_says_who_it_is_until_it_is_revoked(admin, public):
    key = await make_key(admin)
    assert (await public.get("/api/me", headers=key)).json()["name"] == "app"

    assert (await admin.delete("/api/keys/app")).status == 200

    assert (await public.get("/api/me", headers=key)).status == 401


async def test_a_key_does_what_its_role_permits(admin, public):
    application = await make_key(admin)
    administrator = await make_key(admin, "boss", "owner")

    assert (await public.get("/api/keys", headers=application)).status == 403
    assert (await public.get("/api/keys", headers=administrator)).status == 200


async def test_errors_name_the_thing_and_the_next_step(admin):
    missing = (await admin.delete("/api/keys/nothing")).json()["error"]
    await make_key(admin)
    taken = (await admin.post("/api/keys", {"name": "app"})).json()["error"]

    assert missing["code"] == "key_not_found"
    assert "nothing" in missing["message"]
    assert "flyball keys list" in missing["next_step"]
    assert taken["code"] == "name_taken"


async def test_a_password_makes_a_session_that_ends_by_signing_out(admin, public, ctx):
    link = (await admin.post("/api/sign-in-links", {})).json()
    first = await sign_in.use_sign_in_link(ctx, Secret(link["path"].removeprefix("/sign-in/")))
    await sign_in.set_password(ctx, first.token, Secret("four unrelated words"))

    refused = await public.post("/api/sessions", {"name": "administrator", "password": "wrong"}, headers=ORIGIN)
    accepted = await public.post(
        "/api/sessions", {"name": "administrator", "password": "four unrelated words"}, headers=ORIGIN
    )

    assert refused.status == 401
    assert accepted.status == 201
    assert (await public.get("/api/me")).json()["kind"] == "member"
    assert (await public.post("/api/keys", {"name": "forged"})).status == 403
    assert (await public.post("/api/keys", {"name": "own"}, headers=ORIGIN)).status == 201

    kept = dict(public.cookies)
    assert (await public.delete("/api/sessions/current", headers=ORIGIN)).status == 204
    assert "flyball_session" not in public.cookies
    public.cookies.update(kept)
    assert (await public.get("/api/me")).status == 401


async def test_an_administrator_ends_another_session(admin, public, ctx):
    link = await sign_in.create_sign_in_link(ctx)
    signed_in = await sign_in.use_sign_in_link(ctx, link.token)
    public.cookies["flyball_session"] = signed_in.token.reveal()
    [session] = (await admin.get("/api/sessions")).json()["items"]

    assert (await admin.delete(f"/api/sessions/{session['id']}")).status == 204

    assert (await public.get("/api/me")).status == 401


async def test_members_say_whether_they_have_a_password(admin):
    assert (await admin.get("/api/members")).json()["items"] == []

    link = await admin.post("/api/sign-in-links", {})

    assert link.status == 201
    assert link.json()["has_password"] is False
    [member] = (await admin.get("/api/members")).json()["items"]
    assert member["has_password"] is False


async def test_the_record_is_listed_and_verified(admin):
    await make_key(admin)

    [event] = (await admin.get("/api/audit/events")).json()["items"]
    found = (await admin.get("/api/audit/verification")).json()
    against_another = (await admin.get(f"/api/audit/verification?seq=1&hash={'0' * 64}")).json()

    assert (event["action"], event["actor_kind"]) == ("keys.create", "local")
    assert event["request_id"]
    assert found["ok"]
    assert found["head"] == {"seq": 1, "hash": event["hash"]}
    assert not against_another["ok"]
