"""Models: prices as integers, env references resolved late, versions."""

import pytest

from flyball.infra.context import Actor
from flyball.infra.db.database import fetch_all
from flyball.infra.secrets.environment import from_environment
from flyball.infra.secrets.references import parse
from flyball.llm.usage import Usage
from flyball.models import endpoints, service
from flyball.models.errors import EndpointNotAllowedError, ModelNotConfiguredError, ModelNotFoundError, ModelSpecError
from flyball.models.pricing import cost, nano_prices
from flyball.models.records import Endpoint, ModelSpec, Prices
from flyball.projects import tenants
from flyball.settings import Settings


def spec(**fields):
    endpoint = {
        "provider": "openai-compatible",
        "base_url": "http://127.0.0.1:9001/v1",
        "model": "small",
        "api_key": "env:KEY",
    }
    return ModelSpec(endpoints=(Endpoint(**endpoint | fields),), prices=Prices(input=0.15, output="0.60"))


def outside(environment):
    """What a process with these variables looks up; nothing else is there."""

    def look_up(text):
        return from_environment(parse(text).name, Settings().secret_environment, environment)

    return look_up


def test_a_call_costs_its_tokens_at_their_prices_in_nano_dollars():
    usage = Usage(input_tokens=1_000, cache_read_tokens=500, output_tokens=200, reasoning_tokens=100)

    found = cost(usage, Prices(input=0.15, output=0.60, cache_read="0.075"))

    assert found.nano_usd == 150_000 + 37_500 + 120_000 + 60_000
    assert found.price_version.startswith("declared:")


def test_without_prices_or_usage_the_cost_is_unknown_and_not_zero():
    assert cost(Usage(input_tokens=1), None) == (None, "")
    assert cost(None, Prices(input=1, output=1)).nano_usd is None


@pytest.mark.parametrize("price", ["1000001", "1e9", "1e20", "1e400", "-1", "nan"])
def test_a_price_that_no_token_can_have_is_refused_in_words(price):
    with pytest.raises(ModelSpecError, match=r"prices\.output"):
        nano_prices(Prices(input=1, output=price))


def test_a_usage_that_nobody_can_have_used_has_no_cost_that_the_ledger_cannot_keep():
    dear = Prices(input="1000000", output="1000000")

    assert cost(Usage(input_tokens=10**5), dear).nano_usd == 10**14
    assert cost(Usage(input_tokens=10**5 + 1), dear).nano_usd is None


def test_prices_written_differently_but_equal_have_one_version():
    assert nano_prices(Prices(input=0.15, output=0.6)) == nano_prices(Prices(input="0.150", output="0.60"))


def test_references_are_resolved_late_and_the_key_cannot_be_printed():
    (found,) = endpoints.resolve("fast", spec(base_url="env:URL"), outside({"URL": "http://host:1/v1/", "KEY": "sk-1"}))

    assert found.base_url == "http://host:1/v1"
    assert found.api_key.reveal() == "sk-1"
    assert "sk-1" not in repr(found)


def test_a_model_without_its_variable_is_not_configured_and_says_which():
    assert (
        endpoints.unavailable_reason("fast", spec(), outside({}))
        == "the model 'fast' is not configured: KEY is not set"
    )
    assert endpoints.unavailable_reason("fast", spec(), outside({"KEY": "x"})) == ""
    with pytest.raises(ModelNotConfiguredError, match="KEY is not set"):
        endpoints.resolve("fast", spec(), outside({}))


def test_one_configured_endpoint_of_two_is_enough():
    two = ModelSpec(endpoints=(*spec().endpoints, *spec(api_key="env:OTHER_KEY", model="big").endpoints))

    assert [found.model for found in endpoints.resolve("fast", two, outside({"OTHER_KEY": "x"}))] == ["big"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"api_key": "sk-secret"}, "keys are never stored"),
        ({"base_url": "http://user:sk-secret@host/v1"}, "user or password"),
        ({"base_url": "ftp://sk-secret"}, "http(s)"),
        ({"base_url": "http://host/v1?key=sk-secret"}, "query"),
        ({"model": ""}, "model is empty"),
    ],
)
def test_what_would_store_a_secret_or_cannot_be_called_is_refused_without_repeating_it(fields, why):
    with pytest.raises(ModelSpecError) as caught:
        service.check("fast", spec(**fields))

    assert why in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_a_price_that_is_no_amount_is_refused():
    with pytest.raises(ModelSpecError, match=r"prices\.input: not an amount"):
        service.check("fast", ModelSpec(endpoints=spec().endpoints, prices=Prices(input="cheap", output=1)))


async def test_versions_follow_the_declaration(ctx):
    async with ctx.db.transaction() as connection:
        first = await service.put(connection, ctx, "fast", spec())
        same = await service.put(connection, ctx, "fast", spec())
        second = await service.put(connection, ctx, "fast", spec(model="other"))

    assert (first.version, same.id, second.version) == (1, first.id, 2)
    assert (await service.get_model(ctx, "fast")).spec == spec(model="other")
    assert (await service.get_model(ctx, "fast", 1)).spec == spec()
    assert [m.version for m in await service.list_versions(ctx, "fast")] == [2, 1]
    with pytest.raises(ModelNotFoundError, match="'slow'"):
        await service.get_model(ctx, "slow")


async def test_no_secret_reaches_the_database(ctx, monkeypatch):
    monkeypatch.setenv("KEY", "sk-very-secret")
    async with ctx.db.transaction() as connection:
        await service.put(connection, ctx, "fast", spec())
        rows = await fetch_all(connection, "select spec::text as text from model_versions")

    assert "sk-very-secret" not in rows[0]["text"]
    assert "env:KEY" in rows[0]["text"]


async def test_a_model_whose_name_has_a_slash_has_its_own_page(ctx, admin):
    async with ctx.db.transaction() as connection:
        await service.put(connection, ctx, "local/small", spec())

    page = await admin.get("/models/local/small", headers={"accept": "text/html"})

    assert (page.status, "local/small" in page.body.decode()) == (200, True)


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({"base_url": "http://elsewhere/v1"}, id="a known key to a new host"),
        pytest.param({"base_url": "http://127.0.0.1:9001/v2"}, id="a known key to a new path"),
        pytest.param({"base_url": "http://169.254.169.254/v1", "api_key": ""}, id="a new host without a key"),
        pytest.param({"api_key": "env:AWS_SECRET_ACCESS_KEY"}, id="another secret to a known host"),
        pytest.param({"base_url": "env:HOME_URL", "api_key": ""}, id="an address out of the environment"),
    ],
)
async def test_only_who_may_do_everything_says_where_the_server_calls_and_with_which_secret(ctx, declared):
    editor = ctx.acting_as(Actor(id="key_1", kind="key", name="ci", permissions=frozenset({"models.*"})))
    async with ctx.db.transaction() as connection:
        await service.put(connection, ctx, "fast", spec())

    for name in ("fast", "new"):
        with pytest.raises(EndpointNotAllowedError, match=rf"models\.{name}\.endpoints\[0\]"):
            async with ctx.db.transaction() as connection:
                await service.put(connection, editor, name, spec(**declared))


async def test_what_an_administrator_declared_may_be_used_by_others(ctx):
    editor = ctx.acting_as(Actor(id="key_1", kind="key", name="ci", permissions=frozenset({"models.*"})))
    async with ctx.db.transaction() as connection:
        await service.put(connection, ctx, "fast", spec())
        again = await service.put(connection, editor, "fast", spec(model="larger", weight=2))
        other = await service.put(connection, editor, "other", spec(api_key=""))

    assert (again.version, other.version) == (2, 1)


@pytest.mark.parametrize("field", ["api_key", "base_url"])
def test_flyballs_own_settings_are_sent_nowhere(field):
    with pytest.raises(ModelSpecError, match=field):
        service.check("fast", spec(**{field: "env:FLYBALL_DATABASE_URL"}))
    environment = {"FLYBALL_DATABASE_URL": "http://u:p@h/", "KEY": "x"}
    assert "sent nowhere" in endpoints.unavailable_reason(
        "fast", spec(**{field: "env:FLYBALL_DATABASE_URL"}), outside(environment)
    )


def test_an_hour_of_caching_and_audio_have_prices_of_their_own_or_follow_others():
    usage = Usage(cache_write_1h_tokens=1_000_000, audio_input_tokens=1_000_000, audio_output_tokens=1_000_000)
    plain = Prices(input="1", output="4", cache_write="1.25")

    told = Prices(input="1", output="4", cache_write="1.25", cache_write_1h="2", audio_input="32", audio_output="64")

    assert cost(usage, plain).nano_usd == (1_250_000_000 + 1_000_000_000 + 4_000_000_000)
    assert cost(usage, told).nano_usd == (2_000_000_000 + 32_000_000_000 + 64_000_000_000)
    assert cost(usage, plain).price_version != cost(usage, told).price_version


@pytest.mark.parametrize(
    "declared",
    [
        {"api_key": "env:OPENAI_API_KEY"},
        {"api_key": "file:/run/secrets/openai"},
        {"api_key": "cmd:openai"},
        {"api_key": "vault:secret/openai#key"},
        {"base_url": "env:BASE_URL", "api_key": ""},
    ],
)
async def test_a_tenants_owner_sends_none_of_the_operators_secrets_anywhere(ctx, declared):
    _, project, member = await tenants.create_organisation(ctx, "acme", "ann")
    owner = ctx.within(project.id, Actor(id=member.id, kind="member", name="ann"))

    declared = {"base_url": "https://models.example.com/v1", **declared}
    with pytest.raises(EndpointNotAllowedError, match="is the server's, not this organisation's"):
        async with owner.db.transaction() as connection:
            await service.put(connection, owner, "fast", spec(**declared))

    operator = ctx.within(project.id, ctx.actor)
    async with owner.db.transaction() as connection:
        await service.put(
            connection, owner, "own", spec(base_url="https://models.example.com/v1", api_key="secret:openai")
        )
        await service.put(connection, operator, "fast", spec(**declared))
        again = await service.put(connection, owner, "fast", spec(**declared, model="larger"))
    assert again.version == 2
