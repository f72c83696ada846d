"""The vendors as the models room shows and demands them: what each needs, where a model is called, with which keys."""

import re
from html import unescape
from pathlib import Path

import msgspec
import pytest
import yaml

from flyball.infra.secrets.environment import from_environment
from flyball.infra.secrets.references import parse
from flyball.llm import catalog
from flyball.llm.catalog import names, vendor
from flyball.models import endpoints, service
from flyball.models.errors import ModelNotConfiguredError, ModelSpecError
from flyball.models.reaching import reaching
from flyball.models.records import Endpoint, ModelSpec
from flyball.settings import Settings

ALL_SETTINGS = {
    "base_url": "http://127.0.0.1:9001",
    "api_key": "env:KEY",
    "access_key_id": "env:KEY_ID",
    "secret_access_key": "env:SECRET",
    "service_account": "env:CREDENTIALS",
    "region": "us-east-1",
    "project": "shop",
    "location": "europe-west4",
}
PAGE = (Path(__file__).parents[2] / "docs/providers.md").read_text()
NEEDS = [(name, need) for name in names() for need in vendor(name).needs]


def outside(environment):
    def look_up(text):
        return from_environment(parse(text).name, Settings().secret_environment, environment)

    return look_up


def spec(**fields):
    return ModelSpec(endpoints=(Endpoint(**{"model": "m", **fields}),))


@pytest.mark.parametrize("name", names())
def test_a_model_of_every_vendor_can_be_declared(name):
    service.check("fast", spec(provider=name, **ALL_SETTINGS))


@pytest.mark.parametrize(("name", "need"), NEEDS)
def test_what_a_vendor_needs_is_asked_for_by_name(name, need):
    either = need.split("|")
    settings = {key: value for key, value in ALL_SETTINGS.items() if key not in either}

    with pytest.raises(ModelSpecError) as caught:
        service.check("fast", spec(provider=name, **settings))

    assert either[0] in str(caught.value)
    for one in either:
        others = {key: value for key, value in ALL_SETTINGS.items() if key not in either or key == one}
        service.check("fast", spec(provider=name, **others))


def test_an_address_has_its_location_in_it():
    vertex = Endpoint(provider="vertex", model="gemini-2.5-pro", project="shop", location="europe-west4")
    bedrock = Endpoint(provider="bedrock", model="amazon.nova-pro-v1:0", region="eu-central-1")

    assert endpoints.address_of(vertex) == "https://europe-west4-aiplatform.googleapis.com"
    assert endpoints.address_of(bedrock) == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert endpoints.address_of(Endpoint(provider="vertex", model="m", location="global")) == (
        "https://aiplatform.googleapis.com"
    )


@pytest.mark.parametrize("location", ["evil.example/", "a b", "x@evil.example", "é"])
def test_a_location_cannot_lead_elsewhere(location):
    with pytest.raises(ModelSpecError, match="location has characters"):
        service.check("fast", spec(provider="vertex", **ALL_SETTINGS | {"location": location}))


def test_a_service_account_stands_in_its_variable_or_in_a_file_that_it_names(tmp_path):
    declared = spec(provider="vertex", project="shop", location="global", service_account="env:CREDENTIALS")
    key = tmp_path / "key.json"
    key.write_text('{"client_email": "a"}')

    (written,) = endpoints.resolve("fast", declared, outside({"CREDENTIALS": '{"client_email": "b"}'}))
    (named,) = endpoints.resolve("fast", declared, outside({"CREDENTIALS": str(key)}))

    assert written.upstream.service_account.reveal() == '{"client_email": "b"}'
    assert named.upstream.service_account.reveal() == '{"client_email": "a"}'


@pytest.mark.parametrize("value", ["/no/such/file", "not a path\0", "/"])
def test_a_service_account_that_is_neither_is_not_configured(value):
    declared = spec(provider="vertex", project="shop", location="global", service_account="env:CREDENTIALS")

    reason = endpoints.unavailable_reason("fast", declared, outside({"CREDENTIALS": value}))

    assert reason.endswith("CREDENTIALS is neither a service account's key nor a file that can be read")


async def test_a_key_may_stand_in_a_file_of_the_operators(ctx):
    key = ctx.layout.secrets / "key"
    key.write_text("sk-from-a-file\n")
    declared = spec(provider="openai", api_key=f"file:{key}")

    service.check("fast", declared)
    (found,) = await reaching(ctx)("default", "fast", declared)
    key.unlink()
    missing = spec(provider="openai", api_key=f"file:{key}2")

    assert found.api_key.reveal() == "sk-from-a-file"
    with pytest.raises(ModelNotConfiguredError, match="key2 cannot be read, or is empty"):
        await reaching(ctx)("default", "fast", missing)


@pytest.mark.parametrize("written", ["file:key", "file:", "file:~/key", "sk-1"])
def test_a_file_is_named_from_the_root(written):
    with pytest.raises(ModelSpecError, match="written out"):
        service.check("fast", spec(provider="openai", api_key=written))


async def test_all_vendors_are_listed_with_what_they_need(admin):
    listed = await admin.get("/api/models/providers")

    found = {item["name"]: item for item in listed.json()["items"]}
    assert list(found) == list(names())
    assert found["bedrock"]["needs"] == [
        ["region"],
        ["api_key", "access_key_id"],
        ["api_key", "secret_access_key"],
    ]
    assert found["anthropic"]["key_variable"] == "ANTHROPIC_API_KEY"
    assert found["deepseek"]["dialects"] == ["openai_chat", "anthropic_messages"]


async def test_a_models_page_shows_where_it_is_called_and_with_which_references(ctx, admin):
    declared = spec(
        provider="bedrock",
        region="eu-central-1",
        access_key_id="env:AWS_ACCESS_KEY_ID",
        secret_access_key="env:AWS_SECRET_ACCESS_KEY",  # noqa: S106 -- a reference
    )
    async with ctx.db.transaction() as connection:
        await service.put(connection, ctx, "claude", declared)

    page = await admin.get("/models/claude", headers={"accept": "text/html"})

    text = page.body.decode()
    assert "https://bedrock-runtime.eu-central-1.amazonaws.com" in text
    assert "<code>env:AWS_ACCESS_KEY_ID</code>, <code>env:AWS_SECRET_ACCESS_KEY</code>" in text


async def test_a_models_page_shows_how_every_client_calls_it_at_the_address_that_the_browser_uses(ctx, admin):
    async with ctx.db.transaction() as connection:
        await service.put(connection, ctx, "claude", spec(provider="anthropic"))

    page = await admin.get("/models/claude", headers={"accept": "text/html", "host": "localhost:4711"})

    text = unescape(page.body.decode())
    assert 'OpenAI(base_url="http://localhost:4711/v1"' in text
    assert 'Anthropic(base_url="http://localhost:4711"' in text
    assert '{"base_url": "http://localhost:4711"}' in text
    assert text.count('model="claude"') == 4


@pytest.mark.parametrize("name", names())
def test_every_vendor_has_its_row_in_the_documentation(name):
    found = vendor(name)
    needs = ", ".join(" or ".join(f"`{one}`" for one in need.split("|")) for need in found.needs)
    key = f"`{found.key_variable}`" if found.key_variable else "–"

    row = f"| `{name}` | [{found.title}]({found.docs}) | {', '.join(found.dialects)} | {needs or '–'} | {key} |"

    assert row in PAGE.splitlines()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_of_the_documentation_can_be_declared(block):
    for name, declared in yaml.safe_load(block)["models"].items():
        service.check(name, msgspec.convert(declared, ModelSpec))


def test_the_documentations_new_vendor_is_a_sound_entry(tmp_path, monkeypatch):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "acme.toml").write_text(example)
    monkeypatch.setattr(catalog, "files", lambda _: tmp_path)

    found = catalog._read.__wrapped__("acme")

    assert list(found.dialects) == ["openai_chat"]
