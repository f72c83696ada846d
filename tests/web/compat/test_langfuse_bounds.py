"""What the face of Langfuse refuses, and to whom: over the application alone, without a client."""

import base64
import hashlib

import pytest

from flyball.infra.db.database import fetch_all
from flyball.projects import keys, tenants
from flyball.traces.otlp.gate import gate_of
from flyball.traces.pressure import Pressure

NOW = "2026-11-21T10:00:00Z"


@pytest.fixture
def basic(ctx):
    """The header of a key of some role, as Langfuse's clients send it."""

    async def of(role):
        made = await keys.create_key(ctx, f"key-{role}", role)
        return {"authorization": "Basic " + base64.b64encode(b"pk:" + made.secret.reveal().encode()).decode()}

    return of


async def test_an_application_s_key_sends_and_gets_and_changes_nothing_else(public, basic):
    key = await basic("application")

    sent = await public.post("/api/public/scores", json={"name": "n", "value": 1, "traceId": "1" * 32}, headers=key)
    made = await public.post("/api/public/v2/datasets", json={"name": "n"}, headers=key)
    labelled = await public.post("/api/public/v2/prompts", json={"name": "n", "prompt": "p"}, headers=key)

    assert sent.status == 200
    assert (made.status, labelled.status) == (403, 403)
    assert set(made.json()) == {"message", "error"}
    assert "datasets.write" in made.json()["message"]


async def test_events_of_spans_need_the_right_to_send_traces(public, ctx):
    made = await keys.create_key(ctx, "judge", grant=keys.KeyGrant(scopes=("scores.write",)))
    header = {"authorization": f"Bearer {made.secret.reveal()}"}
    event = {"id": "e", "type": "span-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"id": "s", "traceId": "t"}}

    answered = await public.post("/api/public/ingestion", json={"batch": [event]}, headers=header)

    assert answered.status == 403
    assert "traces.write" in answered.json()["message"]
    async with ctx.db.connection() as connection:
        assert await fetch_all(connection, "select * from span_parts") == []


async def test_parts_of_spans_wait_no_more_than_spans_while_the_disk_is_full(admin, ctx, monkeypatch):
    full = Pressure(requests=0, records=0, bytes=0, rows=0, lag_ns=0, disk_free=0, disk_total=1)
    monkeypatch.setattr(gate_of(ctx), "_pressure", full)
    event = {"id": "e", "type": "span-update", "timestamp": "2026-01-01T00:00:00Z", "body": {"id": "s", "traceId": "t"}}

    assert (await admin.post("/api/public/ingestion", json={"batch": [event]})).status == 503
    async with ctx.db.connection() as connection:
        assert await fetch_all(connection, "select * from span_parts") == []


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", "2262-12-31T00:00:00Z", "9999-12-31T00:00:00Z"])
async def test_an_event_of_a_time_that_no_span_has_fails_alone(admin, time):
    times = {"startTime": time, "endTime": time}
    batch = [
        {"id": "trace", "type": "trace-create", "timestamp": time, "body": {"id": "t"}},
        {"id": "span", "type": "span-create", "timestamp": NOW, "body": {"id": "s", "traceId": "t"} | times},
        {"id": "good", "type": "span-create", "timestamp": NOW, "body": {"id": "g", "traceId": "t"}},
    ]

    answered = await admin.post("/api/public/ingestion", json={"batch": batch})

    assert answered.status == 207
    assert [one["id"] for one in answered.json()["successes"]] == ["good"]
    assert [(one["id"], one["status"]) for one in answered.json()["errors"]] == [("trace", 400), ("span", 400)]


async def test_an_item_has_to_fit_the_schemas_of_its_dataset(admin):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    await admin.post("/api/public/v2/datasets", json={"name": "Numbers", "inputSchema": schema})

    fits = await admin.post("/api/public/dataset-items", json={"datasetName": "Numbers", "input": {"n": 1}})
    unfit = await admin.post("/api/public/dataset-items", json={"datasetName": "Numbers", "input": {"n": "one"}})
    unsound = await admin.post("/api/public/v2/datasets", json={"name": "x", "inputSchema": {"type": "nothing"}})

    assert (fits.status, unfit.status, unsound.status) == (200, 400, 400)
    assert "n: 'one' is not of type 'integer'" in unfit.json()["message"]


async def test_what_a_list_cannot_be_narrowed_by_is_refused_and_not_ignored(admin):
    for address in (
        "/api/public/traces?tags=a",
        "/api/public/v2/observations?filter=x",
        "/api/public/experiments?filter=x",
    ):
        answered = await admin.get(address)

        assert answered.status == 400, address
        assert "cannot be narrowed by" in answered.json()["message"]


async def test_media_has_to_be_what_was_announced(admin, public):
    data = b"picture"
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    new = {"contentType": "image/png", "contentLength": len(data), "sha256Hash": digest, "field": "input"}
    announced = (await admin.post("/api/public/media", json=new)).json()
    ticket = announced["uploadUrl"].partition("/api/")[2]

    other = await public.send("PUT", f"/api/{ticket}", body=b"another", headers={"content-type": "image/png"})
    longer = await public.send("PUT", f"/api/{ticket}", body=data * 2, headers={"content-type": "image/png"})
    missing = await admin.get(f"/api/public/media/{announced['mediaId']}")
    right = await public.send("PUT", f"/api/{ticket}", body=data, headers={"content-type": "image/png"})
    again = (await admin.post("/api/public/media", json=new)).json()

    assert (other.status, missing.status, right.status) == (400, 404, 200)
    assert 400 <= longer.status < 500
    assert again == {"mediaId": announced["mediaId"], "uploadUrl": None}
    assert (await admin.post("/api/public/media", json=new | {"contentLength": 9})).status == 400
    assert (await admin.post("/api/public/media", json=new | {"sha256Hash": "none"})).status == 400


async def test_the_address_that_the_client_prints_leads_to_the_trace(admin):
    answered = await admin.get(f"/project/default/traces/{'a' * 32}")

    assert (answered.status, answered.header("location")) == (303, f"/traces/{'a' * 32}")


async def test_what_one_tenant_makes_is_nothing_to_another(public, ctx, basic):
    mine = await basic("maintainer")
    other = await tenants.create_project(ctx, "other")
    made = await keys.create_key(ctx.within(other.id, ctx.actor), "theirs", "maintainer")
    theirs = {"authorization": f"Bearer {made.secret.reveal()}"}
    config = {"name": "n", "dataType": "BOOLEAN"}
    await public.post(
        "/api/public/v2/prompts", json={"name": "p", "prompt": "x", "labels": ["production"]}, headers=mine
    )
    await public.post("/api/public/v2/datasets", json={"name": "d"}, headers=mine)
    await public.post("/api/public/dataset-items", json={"datasetName": "d", "id": "i", "input": 1}, headers=mine)
    await public.post(
        "/api/public/dataset-run-items", json={"runName": "r", "datasetItemId": "i", "traceId": "1" * 32}, headers=mine
    )
    await public.post(
        "/api/public/scores", json={"id": "s", "name": "n", "value": 1, "traceId": "1" * 32}, headers=mine
    )
    config_id = (await public.post("/api/public/score-configs", json=config, headers=mine)).json()["id"]

    for address in (
        "v2/prompts/p", "v2/datasets/d", "dataset-items/i", "datasets/d/runs", "datasets/d/runs/r", "v2/scores/s",
        f"score-configs/{config_id}",
    ):  # fmt: skip
        assert (await public.get(f"/api/public/{address}", headers=mine)).status == 200, address
        assert (await public.get(f"/api/public/{address}", headers=theirs)).status == 404, address
    for address in ("v2/prompts", "v2/datasets", "dataset-items", "v2/scores", "score-configs"):
        assert (await public.get(f"/api/public/{address}", headers=theirs)).json()["data"] == [], address
    for verb, address in (("DELETE", "dataset-items/i"), ("DELETE", "datasets/d/runs/r")):
        assert (await public.send(verb, f"/api/public/{address}", headers=theirs)).status == 404, address


@pytest.mark.parametrize(
    "path", ["v2/prompts/{}", "v2/prompts/{}?version=1", "v2/datasets/{}", "dataset-items?datasetName={}"]
)
async def test_what_is_not_there_is_told_by_the_name_that_was_asked_for(admin, path):
    answered = await admin.get("/api/public/" + path.format("Support%20Answers"))

    assert answered.status == 404
    assert "'Support Answers'" in answered.json()["message"]
