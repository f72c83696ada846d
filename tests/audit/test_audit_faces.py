"""The audit record over HTTP and as pages: filters, permalinks, exports, who may what, and what a read leaves behind."""

import pytest

from flyball.audit import offline, reading, service
from flyball.audit.records import Event
from flyball.audit.service import time_of
from flyball.audit.signing import signing_key
from flyball.infra.context import Actor
from flyball.kit.clock import NANOSECONDS

HTML = {"accept": "text/html"}


async def make_key(admin, name="app", role="application") -> dict[str, str]:
    made = await admin.post("/api/keys", {"name": name, "role": role})
    return {"authorization": f"Bearer {made.json()['key']}"}


def actions(answered) -> list[str]:
    return [event["action"] for event in answered.json()["items"]]


async def test_events_are_narrowed_by_who_what_and_when(admin, ctx):
    for name in ("one", "two"):
        await make_key(admin, name)
    await admin.delete("/api/keys/one")
    ada = ctx.acting_as(Actor(id="m1", kind="member", name="ada", auth_method="totp"))
    async with ctx.db.transaction() as connection:
        await service.record(connection, ada, action="models.update", object_kind="model", object_id="fast")

    assert actions(await admin.get("/api/audit/events")) == [
        "models.update",
        "keys.revoke",
        "keys.create",
        "keys.create",
    ]
    assert actions(await admin.get("/api/audit/events?action=keys.create")) == ["keys.create", "keys.create"]
    assert actions(await admin.get("/api/audit/events?actor=ada")) == ["models.update"]
    assert actions(await admin.get("/api/audit/events?actor=m1&object_kind=model")) == ["models.update"]
    assert actions(await admin.get("/api/audit/events?object_id=fast")) == ["models.update"]
    assert actions(await admin.get("/api/audit/events?until=2020-01-01")) == []
    assert len(actions(await admin.get("/api/audit/events?since=2020-01-01"))) == 4
    [event] = (await admin.get("/api/audit/events?actor=ada")).json()["items"]
    assert event["auth_method"] == "totp"


async def test_how_an_actor_proved_who_they_are_is_recorded(admin, public):
    owner = await make_key(admin, "boss", "owner")
    await public.post("/api/keys", {"name": "second"}, headers=owner)

    newest, first = (await admin.get("/api/audit/events")).json()["items"]
    assert (first["actor_kind"], first["auth_method"]) == ("local", "local socket")
    assert (newest["actor_kind"], newest["auth_method"]) == ("key", "key")


async def test_an_event_has_an_address_a_sentence_and_its_hash(admin):
    await make_key(admin)
    [event] = (await admin.get("/api/audit/events")).json()["items"]

    told = (await admin.get("/api/audit/events/1")).json()
    page = await admin.get("/audit/1", headers=HTML)

    assert told["event"] == event
    assert told["sentence"] == f"{event['actor_name']} made the key app"
    assert event["hash"] in page.text
    assert "made the key" in page.text
    assert "not signed yet" in page.text
    await admin.post("/api/audit/checkpoints")
    assert ">signed</span>" in (await admin.get("/audit/1", headers=HTML)).text


@pytest.mark.parametrize("seq", ["2", "0", "-1", "99999999999999999999"])
async def test_an_event_that_is_not_there_is_not_found(admin, seq):
    await make_key(admin)

    missing = await admin.get(f"/api/audit/events/{seq}")

    assert missing.status == 404
    assert missing.json()["error"]["code"] == "event_not_found"


async def test_an_export_over_http_verifies_and_is_recorded(admin, ctx, tmp_path):
    await make_key(admin)
    path = tmp_path / "export.jsonl"

    answered = await admin.get("/api/audit/export")
    path.write_bytes(answered.body)

    found = offline.verify_file(path, public_keys=[signing_key(ctx.layout).public])
    assert found.ok, found.finding
    assert answered.header("content-disposition") == 'attachment; filename="flyball-audit.jsonl"'
    assert actions(await admin.get("/api/audit/events"))[0] == "audit.export"
    await admin.get("/api/audit/export")
    assert actions(await admin.get("/api/audit/events"))[:2] == ["audit.export", "audit.export"]  # each one counts


async def test_who_may_read_may_neither_sign_nor_prune(admin, public):
    reviewer, viewer = await make_key(admin, "r", "reviewer"), await make_key(admin, "v", "viewer")

    assert (await public.get("/api/audit/standing", headers=reviewer)).status == 200
    assert (await public.post("/api/audit/checkpoints", headers=reviewer)).status == 403
    assert (await public.post("/api/audit/prunings", headers=reviewer)).status == 403
    for path in ("events", "events/1", "verification", "standing", "export"):
        assert (await public.get(f"/api/audit/{path}", headers=viewer)).status == 403
        assert (await public.get(f"/api/audit/{path}")).status == 401


async def test_reading_a_trace_again_within_the_hour_is_one_event(ctx):
    person = ctx.acting_as(Actor(id="m1", kind="member", name="ada"))
    read = {"action": "traces.read", "object_kind": "trace", "object_id": "t1"}

    first = await service.record_read(person, **read)
    again = await service.record_read(person, **read)
    another = await service.record_read(person, **(read | {"object_id": "t2"}))
    somebody = await service.record_read(ctx, **read)

    assert first is not None
    assert again is None
    assert another is not None
    assert somebody is not None


async def test_the_page_shows_sentences_the_filter_and_what_proves_it(admin, ctx):
    await make_key(admin)
    await admin.post("/api/audit/checkpoints")

    page = (await admin.get("/audit?actor=nobody&since=2020-01-01", headers=HTML)).text
    whole = (await admin.get("/audit", headers=HTML)).text

    assert "No event fits" in page
    assert 'value="nobody"' in page
    assert "made the key" in whole
    assert signing_key(ctx.layout).public in whole
    assert "up to event" in whole
    assert "FLYBALL_AUDIT_WEBHOOK" in whole


async def test_what_an_event_says_is_text_on_the_page(admin, ctx):
    hostile = ctx.acting_as(Actor(id="x", kind="member", name="<script>alert(1)</script>"))
    async with ctx.db.transaction() as connection:
        await service.record(connection, hostile, action="odd.deed", object_kind="<b>", object_id='"><img src=x>')

    for path in ("/audit", "/audit/1"):
        page = (await admin.get(path, headers=HTML)).text
        assert "<script>alert" not in page
        assert "<img" not in page


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "999999-01-01", "\x00"])
async def test_a_time_that_cannot_be_read_is_refused(admin, time):
    refused = await admin.get("/api/audit/events?since=" + time.replace("\x00", "%00"))

    assert refused.status == 400
    assert refused.json()["error"]["code"] == "time_unreadable"


def test_dates_and_times_are_read_in_utc_and_the_last_day_counts_whole():
    assert time_of("1970-01-02") == 86_400 * NANOSECONDS
    assert time_of("1970-01-02", whole_day=True) == 2 * 86_400 * NANOSECONDS
    assert time_of("1970-01-01T01:00:01+01:00") == NANOSECONDS
    assert time_of("") == 0


def test_an_action_without_a_sentence_is_told_as_it_stands():
    event = Event(
        seq=1, project="p", at_ns=1, mono_ns=1, boot_id="", actor_id="m", actor_kind="member", actor_name="ada",
        action="odd.deed", object_kind="odd_thing", object_id="7",
    )  # fmt: skip

    assert reading.tell(event).sentence == "ada did odd.deed to the odd thing 7"


async def test_a_page_of_events_costs_the_same_far_behind(admin, ctx):
    for number in range(7):
        async with ctx.db.transaction() as connection:
            await service.record(connection, ctx, action="keys.create", object_kind="key", object_id=str(number))

    first = (await admin.get("/api/audit/events?limit=3")).json()
    second = (await admin.get(f"/api/audit/events?limit=3&cursor={first['next']}")).json()
    third = (await admin.get(f"/api/audit/events?limit=3&cursor={second['next']}")).json()

    assert [event["seq"] for page in (first, second, third) for event in page["items"]] == [7, 6, 5, 4, 3, 2, 1]
    assert third["next"] is None


async def test_sentences_name_objects_as_people_do_and_a_filter_finds_them_by_it(admin):
    await make_key(admin, "nightly-import")
    [event] = (await admin.get("/api/audit/events?object_id=nightly-import")).json()["items"]

    told = (await admin.get(f"/api/audit/events/{event['seq']}")).json()

    assert told["sentence"].endswith(" made the key nightly-import")
    assert event["object_id"].startswith("key_")


async def test_looking_at_members_and_at_names_of_secrets_is_recorded_once_an_hour(admin):
    for path in ("/api/members", "/api/members", "/api/secrets", "/api/secrets"):
        assert (await admin.get(path)).status == 200

    assert actions(await admin.get("/api/audit/events")) == ["secrets.read", "members.read"]
