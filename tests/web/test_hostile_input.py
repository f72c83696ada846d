"""Values that nobody means well by, in every address, every question and every field of every body: never a 500."""

import copy
import re

import pytest
from starlette.requests import ClientDisconnect

from flyball.surface.http import PUBLIC
from flyball.surface.http.router import registered
from flyball.surface.http.shield import Shield

pytestmark = pytest.mark.usefixtures("nobody_waits_for_traces")

HOSTILE = {
    "NUL": "a%00b",
    "traversal": "..%2f..%2fetc%2fpasswd",
    "beyond every number": "99999999999999999999",
    "half a character": "%ed%a0%80%ff",
    "long": "x" * 5000,
    "sql": "'%20or%201=1%3b--",
    "negative": "-1",
    "line feeds": "a%0d%0aset-cookie:%20b=c",
}
ASKED = [
    "cursor",
    "limit",
    "version",
    "function",
    "status",
    "session",
    "text",
    "since_ns",
    "name",
    "trace",
    "release",
    "k",
    "query",
    "kind",
    "next",
    "before",
    "rebuild",
    "scope",
    "per",
    "key",
    "member",
    "since",
    "state",
    "page",
    "label",
    "tag",
    "fromUpdatedAt",
    "resolve",
    "traceId",
    "fromTimestamp",
    "scoreIds",
    "value",
    "valueMin",
    "datasetName",
    "datasetId",
    "runName",
    "fromStartTime",
    "userId",
    "sessionId",
    "type",
    "level",
    "service",
    "span",
    "event",
    "last",
    "until_ns",
    "steps",
]


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
async def test_no_address_and_no_question_makes_a_route_fail(application, admin, value):
    failed = []
    for route in application.routes:
        found = registered(route)
        if found is None or found.method != "GET":
            continue
        path = re.sub(r"{[^}]*}", lambda _: value, found.path)
        question = "&".join(f"{name}={value}" for name in ASKED)
        for address in {path, f"{path}?{question}", f"{path}?cursor={value}&text={value}&name={value}"}:
            answered = await admin.get(address)
            if answered.status >= 500 or "set-cookie" in str(answered.headers.get("location", "")).lower():
                failed.append(f"{address[:200]}: {answered.status}")

    assert failed == []


BODIES = {
    "POST /api/keys": {
        "name": "n", "role": "viewer", "scopes": ["traces.read"], "kind": "service", "member": "m", "expires": "90d",
        "models": ["m"], "functions": ["f"], "addresses": ["10.0.0.0/8"],
    },
    "POST /api/capped-keys": {
        "name": "n", "role": "viewer", "scopes": ["traces.read"], "kind": "service", "member": "m", "expires": "90d",
        "models": ["m"], "functions": ["f"], "addresses": ["10.0.0.0/8"], "budget": "1", "per": "month",
        "requests_per_minute": 1, "tokens_per_minute": 1, "parallel": 1,
    },
    "POST /api/budgets": {
        "scope": "function f", "usd": "1", "per": "day", "stop": "hard", "when_away": "open", "open_usd": "1", "alerts": [80],
        "organisation_wide": False,
    },
    "PUT /api/budgets/{quota_id}": {
        "usd": "1", "stop": "hard", "when_away": "open", "open_usd": "1", "alerts": [80], "scope": "function f", "per": "day",
    },
    "POST /api/limits": {
        "scope": "function f", "unit": "tokens", "amount": 1, "per": "day", "stop": "hard", "when_away": "open", "open_bound": 1,
        "alerts": [80], "organisation_wide": False,
    },
    "PUT /api/limits/{quota_id}": {
        "amount": 1, "stop": "hard", "when_away": "open", "open_bound": 1, "alerts": [80], "scope": "function f",
        "unit": "tokens", "per": "day",
    },
    "POST /api/notifications/receivers": {"address": "mailto:ann@example.com", "secret": "secret:x", "organisation_wide": False},
    "POST /api/keys/{id_or_name}/rotations": {"overlap": "24h", "expires": "90d"},
    "POST /api/sign-in-links": {"member": "administrator"},
    "POST /api/sessions": {"name": "administrator", "password": "x"},
    "POST /api/configuration/diff": {"text": "project: default\n", "path": "f", "root": "/r", "files": {}, "unread": {}},
    "POST /api/configuration/apply": {"text": "", "path": "f", "root": "/r", "files": {"a": "b"}, "unread": {"c": "d"}},
    "POST /api/datasets/{name}/imports": {"source": "jsonl", "location": "/nowhere", "licence": "MIT"},
    "POST /api/datasets/{name}/rows": {
        "trace_id": "0" * 32, "data": {"question": "x"}, "id": "i", "split": "all", "licence": "MIT",
    },
    "POST /api/indexes/{name}/builds": {"rebuild": True},
    "PUT /api/evaluations/{name}": {
        "function": "f", "dataset": "d", "scorers": ["exact"], "baseline": "b", "margin": 0.02,
    },
    "POST /api/evaluations/{name}/runs": {"dataset_version": 1, "continues": ""},
    "POST /api/releases": {"function": "f", "shares": {"a": 100}, "evidence": ["r"], "reason": "r", "override": "o"},
    "POST /api/releases/rollbacks": {"function": "f", "to": "rel", "reason": "r"},
    "POST /api/releases/{release_id}/approvals": {"decision": "approved", "comment": "c", "bundle_hash": "h"},
    "POST /api/releases/{release_id}/promotion": {"replacing": "rel"},
    "POST /api/traces/spans": {
        "spans": [{"trace_id": "1" * 32, "span_id": "1" * 16, "name": "n", "start_ns": 1, "end_ns": 2, "input": "i"}]
    },
    "PUT /api/traces/retention": {"days": 3},
    "POST /api/traces/renormalisations": {"since_ns": 5},
    "POST /api/traces/retries": {"id": 5},
    "POST /api/traces/erasures": {"what": "user", "named": "u"},
    "POST /api/feedback": {"trace_id": "1" * 32, "value": 1, "comment": "c", "correction": "d", "identifier": "i"},
    "POST /api/account/keys": {
        "name": "n", "role": "viewer", "scopes": ["traces.read"], "expires": "90d", "models": ["m"], "functions": ["f"],
        "addresses": ["10.0.0.0/8"],
    },
    "POST /api/account/keys/{id_or_name}/rotations": {"overlap": "24h", "expires": "90d"},
    "POST /api/organisations": {"name": "o", "owner": "maria"},
    "POST /api/projects": {"name": "p"},
    "PUT /api/roles/{name}": {"permissions": ["traces.read"], "description": "d"},
    "PUT /api/sessions/current/project": {"project": "p"},
    "POST /api/members": {"name": "maria", "role": "viewer", "email": "maria@example.org"},
    "PUT /api/members/{name}/role": {"role": "viewer"},
    "POST /api/invitations": {"role": "viewer", "email": "maria@example.org", "days": 7},
    "PUT /api/providers/{name}": {
        "issuer": "https://example.org", "client_id": "c", "label": "l", "client_secret": "secret:s", "client_auth": "basic",
        "scopes": ["openid"], "groups_claim": "groups", "groups": [{"group": "g", "project": "default", "role": "viewer"}],
        "domains": ["example.org"], "joining": "invited", "link_by_email": True, "enforced": False, "shown": True,
    },
    "PUT /api/secrets/{name}": {"value": "v", "hosts": ["example.org"]},
    "POST /api/sql": {"sql": "select 1", "limit": 1},
    "PUT /api/prompts/{name}/labels/{label}": {"version": 1},
    "POST /api/public/v2/prompts": {
        "name": "n", "prompt": "Hi {{you}}", "type": "text", "config": {"a": 1}, "labels": ["production"], "tags": ["t"],
        "commitMessage": "c",
    },
    "POST /api/public/scores": {
        "name": "n", "value": 1, "id": "i", "traceId": "1" * 32, "observationId": "1" * 16, "sessionId": "s", "datasetRunId": "r",
        "comment": "c", "metadata": {}, "environment": "e", "queueId": "q", "configId": "", "dataType": "NUMERIC",
        "source": "API", "timestamp": "2026-01-01T00:00:00Z",
    },
    "POST /api/public/v2/datasets": {
        "name": "n", "description": "d", "metadata": {}, "inputSchema": {"type": "object"}, "expectedOutputSchema": None,
    },
    "POST /api/public/dataset-items": {
        "datasetName": "d", "id": "i", "input": {"a": 1}, "expectedOutput": "b", "metadata": {}, "sourceTraceId": "1" * 32,
        "sourceObservationId": "1" * 16, "status": "ACTIVE",
    },
    "POST /api/public/dataset-run-items": {
        "runName": "r", "datasetItemId": "i", "runDescription": "d", "metadata": {}, "traceId": "1" * 32,
        "observationId": "1" * 16,
    },
    "POST /api/public/media": {
        "contentType": "image/png", "contentLength": 1, "sha256Hash": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "field": "input", "traceId": "1" * 32, "observationId": "1" * 16, "datasetId": "d", "datasetItemId": "i",
    },
    "POST /api/public/score-configs": {
        "name": "n", "dataType": "CATEGORICAL", "categories": [{"label": "l", "value": 1}], "minValue": None, "maxValue": None,
        "description": "d",
    },
    "PATCH /api/public/score-configs/{config_id}": {
        "isArchived": True, "name": "n", "categories": None, "minValue": 1, "maxValue": 2, "description": "d",
    },
    "POST /api/public/ingestion": {
        "batch": [
            {"id": "e", "type": "span-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"id": "s", "traceId": "t"}},
            {"id": "f", "type": "trace-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"id": "t", "tags": ["a"]}},
        ],
        "metadata": {},
    },
    "PATCH /api/public/v2/prompts/{name}/versions/{version}": {"newLabels": ["production"]},
}  # fmt: skip
VALUES = ["a\x00b", "\x1b[31m", "x" * 20_000, "", -1, 2**63, 2**70, 1e308, None, True, [], {}, [[]], {"a": "\x00"}]


def test_every_route_that_takes_a_body_is_tried(application):
    taking = {
        f"{found.method} {found.path}"
        for route in application.routes
        if (found := registered(route)) and found.body not in (None, bytes)  # a file: tests of models
    }
    assert {re.sub(r":path}", "}", address) for address in taking} == set(BODIES)


def places(value, path=()):
    """Every place inside a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))
    yield path


def changed(body, path, value):
    if not path:
        return value
    body = copy.deepcopy(body)
    inner = body
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return body


@pytest.mark.parametrize("address", sorted(BODIES))
async def test_no_field_of_a_body_makes_a_route_fail(admin, address):
    method, path = address.split()
    path = re.sub(r"{[^}]*}", "x", path)
    failed = []
    for place in places(BODIES[address]):
        for value in VALUES:
            if address == "POST /api/sql" and place == ("sql",) and value not in VALUES[:4]:
                continue  # each question is a process of its own
            answered = await admin.send(method, path, json=changed(BODIES[address], place, value))
            if answered.status >= 500:
                failed.append(f"{place} = {value!r:.40}: {answered.status} {answered.body[:200]!r}")

    assert failed == []


RAW = {
    "NaN": b'{"name": NaN}',
    "an infinite number": b'{"name": "a", "value": 1e999}',
    "half a pair": b'{"name": "\\ud800", "sql": "\\ud800", "text": "\\ud800", "comment": "\\udfff"}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "deep lists": b"[" * 5000 + b"]" * 5000,
    "deep objects": b'{"a":' * 3000 + b"1" + b"}" * 3000,
    "wide": b"{" + b",".join(b'"k%d":1' % number for number in range(50_000)) + b"}",
    "a long number": b'{"limit": ' + b"9" * 100_000 + b"}",
    "a long name": b'{"' + b"k" * 100_000 + b'": 1}',
    "two values": b"{}{}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "nothing": b"",
}


# A face of another product ignores fields that it does not know, as theirs does: of these bodies the name is enough.
IGNORED = {"/api/public/v2/datasets": [RAW["an infinite number"]]}


@pytest.mark.parametrize("body", RAW.values(), ids=RAW)
async def test_what_is_no_sound_json_is_refused_everywhere(application, admin, body):
    failed = []
    for route in application.routes:
        found = registered(route)
        if found is None or found.body in (None, bytes):
            continue
        path = re.sub(r"{[^}]*}", "x", found.path)
        answered = await admin.send(found.method, path, body=body, headers={"content-type": "application/json"})
        refusals = (400, 404, 409, 413) if found.permission == PUBLIC else (400, 404, 409)  # strangers send little
        if answered.status not in refusals and not (answered.status < 300 and body in IGNORED.get(path, ())):
            failed.append(f"{found.method} {path}: {answered.status} {answered.body[:100]!r}")

    assert failed == []


@pytest.mark.parametrize("body", RAW.values(), ids=RAW)
async def test_what_is_no_file_of_weights_is_refused(admin, body):
    for name in HOSTILE.values():
        answered = await admin.send(
            "POST", f"/api/model-files?name={name}", body=body, headers={"content-type": "application/octet-stream"}
        )
        assert answered.status in (400, 422), f"{name[:40]}: {answered.status} {answered.body[:200]!r}"


async def test_a_form_is_read_before_anybody_knows_whose_it_is_and_so_it_is_small(public):
    answered = await public.send(
        "POST", "/sign-in", body=b"a=" + b"x" * 300_000, headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert answered.status == 413


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error_in_the_log(settings, caplog):
    async def app(scope, receive, send):
        raise ClientDisconnect

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": [(b"host", b"127.0.0.1")]}
    await Shield(app, door="public", settings=settings)(scope, receive, send)

    assert not caplog.records


def test_a_name_does_not_end_with_a_line_feed():
    from flyball.configuration.checking import check
    from flyball.configuration.records import Configuration

    declared = {
        "models": {"fast\n": {"endpoints": [{"provider": "openai-compatible", "base_url": "http://a", "model": "m"}]}}
    }
    assert [finding.message for finding in check(declared, Configuration)]
