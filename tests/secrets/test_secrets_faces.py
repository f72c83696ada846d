"""Secrets through the API, the pages and the commands: a value comes in and never goes out."""

import io
import json
import re
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from flyball.kit.secrets import Secret
from flyball.models import service as models
from flyball.models.reaching import reaching
from flyball.models.records import Endpoint, ModelSpec
from flyball.projects import keys
from flyball.secrets import cli, service
from flyball.web.pages import PAGES
from flyball.web.routers import ROUTERS

VALUE = "sk-through-the-front-door-4711"
HTML = {"accept": "text/html"}
SPEC = ModelSpec(endpoints=(Endpoint(provider="openai", model="m", api_key="secret:openai"),))


async def test_a_value_goes_in_by_the_api_and_no_route_gives_it_back(ctx, admin):
    made = await admin.send("PUT", "/api/secrets/openai", json={"value": VALUE, "hosts": ["api.openai.com"]})
    answers = [made]
    for router in ROUTERS:
        for route in router.routes:
            if route.method == "GET" and route.path.startswith("/api/"):
                path = re.sub(r"\{name[^}]*\}", "openai", route.path)
                if "{" not in path:
                    answers.append(await admin.get(path))
    removed = await admin.delete("/api/secrets/openai")

    assert made.status == 200
    assert made.json() | {"created_ns": 0, "created_by": ""} == {
        "name": "openai", "version": 1, "hosts": ["api.openai.com"], "created_ns": 0, "created_by": "", "used_by": [],
    }  # fmt: skip
    assert len(answers) > 10
    for answer in (*answers, removed):
        assert VALUE.encode() not in answer.body


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("openai", {"value": VALUE, "hosts": []}, 400),
        ("openai", {"value": VALUE, "hosts": ["https://x"]}, 400),
        ("openai", {"value": VALUE, "hosts": "x"}, 400),
        ("openai", {"value": [VALUE], "hosts": ["x"]}, 400),
        ("openai", {"value": VALUE + "\x00", "hosts": ["x"]}, 400),
        ("openai", {"value": VALUE, "hosts": ["x"], "extra": VALUE}, 400),
        ("a b", {"value": VALUE, "hosts": ["x"]}, 400),
        ("openai", {"hosts": ["x"]}, 400),
        ("openai", VALUE, 400),
    ],
)
async def test_an_error_does_not_repeat_the_value(admin, name, body, status):
    answer = await admin.send("PUT", f"/api/secrets/{quote(name)}", json=body)

    assert answer.status == status
    assert VALUE.encode() not in answer.body


@pytest.mark.parametrize("role", ["viewer", "reviewer", "application"])
async def test_who_may_not_write_secrets_does_not(ctx, public, role):
    made = await keys.create_key(ctx, "some", role)
    headers = {"authorization": f"Bearer {made.secret.reveal()}"}

    answers = [
        await public.send("PUT", "/api/secrets/openai", json={"value": VALUE, "hosts": ["x"]}, headers=headers),
        await public.delete("/api/secrets/openai", headers=headers),
        await public.post("/api/data-key/rotations", json={}, headers=headers),
        await public.post("/api/master-key/rotations", json={}, headers=headers),
    ]

    assert [answer.status for answer in answers] == [403] * 4


async def test_the_master_key_is_exchanged_at_the_machine_alone(ctx, public, admin):
    owner = await keys.create_key(ctx, "owner", "owner")
    await service.set_secret(ctx, "openai", Secret(VALUE), ["api.openai.com"])

    afar = await public.post(
        "/api/master-key/rotations", json={}, headers={"authorization": f"Bearer {owner.secret.reveal()}"}
    )
    here = await admin.post("/api/master-key/rotations", json={})

    assert (afar.status, afar.json()["error"]["code"]) == (403, "master_key_refused")
    assert (here.status, here.json()["data_keys"]) == (201, 1)


async def test_the_page_takes_a_value_and_never_shows_one(ctx, admin):
    async with ctx.db.transaction() as connection:
        await models.put(connection, ctx, "fast", SPEC)
    empty = await admin.get("/secrets?name=openai", headers=HTML)
    form = {"name": "openai", "value": VALUE, "hosts": "api.openai.com, 127.0.0.1:9001"}

    done = await admin.post("/secrets", form=form, headers=HTML)
    shown = await admin.get("/secrets?name=openai", headers=HTML)

    assert 'value="api.openai.com"' in empty.body.decode()  # where a model would send it
    assert "flyball secrets set openai" in empty.body.decode()
    text = shown.body.decode()
    assert done.status == 303
    for seen in ("api.openai.com", "127.0.0.1:9001", 'href="/models/fast"', 'type="password"', "data directory"):
        assert seen in text
    assert VALUE not in text
    assert VALUE not in str(done.headers)
    (endpoint,) = await reaching(ctx)("default", "fast", SPEC)
    assert endpoint.api_key.reveal() == VALUE

    await admin.post("/secrets/data-key", form={}, headers=HTML)
    removed = await admin.post("/secrets/openai/removal", form={}, headers=HTML)
    assert removed.status == 303
    assert await service.list_secrets(ctx) == ()


async def test_a_form_that_is_wrong_says_so_without_the_value(ctx, admin):
    refused = await admin.post("/secrets", form={"name": "a b", "value": VALUE, "hosts": "x"}, headers=HTML)

    assert refused.status == 303
    assert VALUE not in str(refused.headers)
    assert await service.list_secrets(ctx) == ()


async def test_a_reader_sees_the_list_without_the_form(ctx, public):
    await service.set_secret(ctx, "openai", Secret(VALUE), ["api.openai.com"])
    made = await keys.create_key(ctx, "some", "maintainer")

    page = await public.get("/secrets", headers={**HTML, "authorization": f"Bearer {made.secret.reveal()}"})

    assert page.status == 200
    assert "openai" in page.body.decode()
    assert "<form method" not in page.body.decode().replace('action="/sign-out"', "")
    assert VALUE not in page.body.decode()


def test_the_pages_and_routes_of_secrets_need_their_permission():
    declared = {
        (route.method, route.path): route.permission
        for router in (*ROUTERS, *(pages.router for pages in PAGES))
        for route in router.routes
        if "/secrets" in route.path or "-key/" in route.path or "master-key" in route.path
    }

    assert len(declared) >= 12
    for (method, path), permission in declared.items():
        assert permission == ("secrets.read" if method == "GET" else "secrets.write"), path


class Control:
    """What the commands ask, and what they are told."""

    def __init__(self):
        self.asked = []
        self.hosts = ["api.openai.com"]

    def get(self, path, **_):
        self.asked.append(("GET", path, None))
        return {"hosts": self.hosts, "items": []}

    def put(self, path, body, **_):
        self.asked.append(("PUT", path, body))
        return {
            "name": "openai",
            "version": 1,
            "hosts": body["hosts"],
            "used_by": [],
            "created_ns": 1,
            "created_by": "local:0",
        }


@pytest.fixture
def control(monkeypatch):
    control = Control()
    monkeypatch.setattr(cli, "control", lambda: control)
    return control


def test_the_command_reads_a_value_from_its_input_and_prints_none(control):
    ended = CliRunner().invoke(cli.app, ["set", "openai", "--host", "api.openai.com", "--json"], input=f"{VALUE}\n")

    assert ended.exit_code == 0
    assert control.asked == [("PUT", "/api/secrets/openai", {"value": VALUE, "hosts": ("api.openai.com",)})]
    assert VALUE not in ended.output


def test_a_value_cannot_be_an_argument(control):
    ended = CliRunner().invoke(cli.app, ["set", "openai", VALUE, "--host", "x"], input="")

    assert ended.exit_code == 2
    assert control.asked == []


def test_without_a_host_the_command_names_those_that_models_want(control):
    ended = CliRunner().invoke(cli.app, ["set", "openai", "--json"], input=f"{VALUE}\n")

    assert ended.exit_code != 0
    assert "flyball secrets set openai --host api.openai.com" in json.loads(ended.stderr)["error"]["next_step"]
    assert not [one for one in control.asked if one[0] == "PUT"]


def test_a_person_is_asked_whether_it_may_go_where_models_would_send_it(control, monkeypatch):
    terminal = io.StringIO("y\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda _: VALUE)

    cli.set_secret("openai")

    assert control.asked[-1] == ("PUT", "/api/secrets/openai", {"value": VALUE, "hosts": ("api.openai.com",)})


@pytest.mark.parametrize(
    "key",
    ["env:OPENAI_API_KEY", "file:/run/secrets/openai", "cmd:openai", "vault:secret/openai#key", "secret:openai"],
)
def test_a_configuration_may_hold_every_kind_of_reference(key):
    models.check("fast", ModelSpec(endpoints=(Endpoint(provider="openai", model="m", api_key=key),)))
