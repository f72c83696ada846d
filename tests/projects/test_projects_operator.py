"""The server is its operator's: an owner of another organisation decides for that one alone."""

from dataclasses import replace

import msgspec
import pytest

from flyball.datasets import service as datasets
from flyball.datasets.errors import LocalPathError
from flyball.datasets.records import Declaration
from flyball.functions import service as functions
from flyball.functions.errors import CodeNotAllowedError
from flyball.functions.records import FunctionSpec, RulesVariant
from flyball.gateway.load import load_projects
from flyball.identity import sessions, sign_in
from flyball.infra.egress.client import Egress
from flyball.infra.secrets.references import Found
from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret
from flyball.llm.connections import Connections
from flyball.llm.errors import UpstreamAwayError
from flyball.llm.wire import Order, Wire
from flyball.models import endpoints
from flyball.models import service as models
from flyball.models.endpoints import upstream_of
from flyball.models.errors import EndpointNotAllowedError
from flyball.models.reaching import reaching
from flyball.models.records import Endpoint, ModelSpec
from flyball.projects import members, tenants
from flyball.settings import Settings
from flyball.testing.upstream import ScriptedUpstream

HOLIDAYS = FunctionSpec(
    input={"type": "object", "properties": {"text": {"type": "string"}}},
    variants={"rules": RulesVariant(code="mine:answer")},
)
CODE = {"mine": b"def answer(inputs, tools):\n    return 'x'\n"}
PASSWD = Declaration(source="jsonl", location="/etc/passwd")
INSIDE = [
    "http://169.254.169.254/latest",
    "http://127.0.0.1:9001/v1",
    "http://10.1.2.3/v1",
    "http://[::1]/v1",
    "http://[::ffff:10.1.2.3]/v1",
    "http://2130706433/v1",
    "http://0x7f.1/v1",
    "http://models.example.com:22/v1",
]


async def signed_in(ctx, name: str):
    """The context in which a member acts."""
    link = await sign_in.create_sign_in_link(ctx, name)
    found = await sign_in.use_sign_in_link(ctx, link.token)
    return ctx.within(found.member.project, sessions.actor_of(found.member))


async def tenants_owner(ctx):
    """The owner of a second organisation, signed in."""
    _, project, _ = await tenants.create_organisation(ctx, "acme", "ann")
    return await signed_in(ctx.within(project.id, ctx.actor), "ann")


async def operators_owner(ctx):
    """An owner in the operator's organisation, signed in."""
    await members.add_member(ctx, "olga", "owner")
    return await signed_in(ctx, "olga")


def model(base_url: str, **fields) -> ModelSpec:
    return ModelSpec(endpoints=(Endpoint(provider="openai-compatible", base_url=base_url, model="m", **fields),))


async def put(ctx, spec: ModelSpec):
    async with ctx.db.transaction() as connection:
        return await models.put(connection, ctx, "fast", spec)


async def test_a_tenants_owner_imports_no_file_of_the_server(ctx):
    ann, olga = await tenants_owner(ctx), await operators_owner(ctx)

    with pytest.raises(LocalPathError, match="/etc/passwd"):
        await datasets.import_later(ann, "users", PASSWD)
    with pytest.raises(LocalPathError, match="/etc/passwd"):
        async with ann.db.transaction() as connection:
            await datasets.declare(connection, ann, "users", PASSWD)
    assert (await datasets.import_later(olga, "users", PASSWD)).kind == "datasets.import"


async def test_a_limited_key_does_nothing_of_the_operators_whatever_its_role(ctx):
    olga = await operators_owner(ctx)
    limited = olga.acting_as(replace(olga.actor, kind="key", limited=True))

    with pytest.raises(LocalPathError, match="/etc/passwd"):
        await datasets.import_later(limited, "users", PASSWD)
    with pytest.raises(CodeNotAllowedError):
        async with limited.db.transaction() as connection:
            await functions.put(connection, limited, "holidays", HOLIDAYS, CODE)


async def test_a_tenants_owner_brings_no_code_that_the_server_runs(ctx):
    ann, olga = await tenants_owner(ctx), await operators_owner(ctx)

    with pytest.raises(CodeNotAllowedError, match="operator"):
        async with ann.db.transaction() as connection:
            await functions.put(connection, ann, "holidays", HOLIDAYS, CODE)
    async with olga.db.transaction() as connection:
        assert (await functions.put(connection, olga, "holidays", HOLIDAYS, CODE)).version == 1


@pytest.mark.parametrize("address", INSIDE)
async def test_a_tenants_owner_has_the_server_call_no_address_inside(ctx, address):
    ann = await tenants_owner(ctx)

    with pytest.raises(EndpointNotAllowedError, match=r"models\.fast\.endpoints\[0\]"):
        await put(ann, model(address))


async def test_a_tenants_owner_has_the_server_call_public_addresses_and_what_the_operator_lists(ctx):
    settings = msgspec.structs.replace(ctx.settings, allowed_networks="10.1.2.3")
    ann = replace(await tenants_owner(ctx), settings=settings)

    assert (await put(ann, model("https://models.example.com/v1"))).version == 1
    assert (await put(ann, model("http://10.1.2.3/v1"))).version == 2


async def test_the_operators_owner_has_the_server_call_any_address(ctx):
    assert (await put(await operators_owner(ctx), model("http://127.0.0.1:9001/v1"))).version == 1


async def test_what_a_tenants_model_is_called_with_is_guarded_wherever_it_is_called_from(ctx):
    ann = await tenants_owner(ctx)
    spec = model("http://localhost:9001/v1")  # a name, and what it leads to is known when it is called
    await put(ann, spec)
    await put(ctx, spec)

    known = await load_projects(ctx.db.across_projects(), ctx.keyring)
    jobs = {one: upstream_of((await reaching(one)(one.project, "fast", spec))[0]).guarded for one in (ann, ctx)}

    assert [upstream_of(known[one.project].models["fast"].endpoints[0]).guarded for one in (ann, ctx)] == [True, False]
    assert list(jobs.values()) == [True, False]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_a_guarded_order_connects_to_nothing_inside(host):
    async with ScriptedUpstream() as upstream:
        port = upstream.base_url.rpartition(":")[2].partition("/")[0]
        order = Order(
            url=f"http://{host}:{port}/v1/models", headers=(), body=b"", where="the model", guarded=True, method="GET"
        )
        connections = Connections(5, guard=Egress.of(Settings()).numbers)
        async with Wire(SystemClock(), connections=connections) as wire:
            if host in (
                "127.0.0.1",
                "localhost",
            ):  # an idle connection that was not checked is none of a guarded order's
                async with wire.send(order._replace(guarded=False), seconds=5) as reply:
                    await reply.read_all()

            with pytest.raises(UpstreamAwayError, match=r"is not called|reads as a number|cannot be reached"):
                async with wire.send(order, seconds=5):
                    pass


async def test_a_guarded_order_goes_nowhere_where_nobody_checks():
    order = Order(url="http://127.0.0.1:9/", headers=(), body=b"", where="the model", guarded=True)

    async with Wire(SystemClock()) as wire:
        with pytest.raises(UpstreamAwayError, match="nobody here checks"):
            async with wire.send(order, seconds=5):
                pass


async def test_a_guarded_order_reaches_a_listed_address():
    async with ScriptedUpstream() as upstream:
        order = Order(url=f"{upstream.base_url}/models", headers=(), body=b"", where="it", guarded=True, method="GET")
        connections = Connections(5, guard=Egress.of(Settings(allowed_networks="127.0.0.1")).numbers)
        async with Wire(SystemClock(), connections=connections) as wire, wire.send(order, seconds=5) as reply:
            assert reply.status == 200


def test_a_service_account_that_a_member_keeps_gets_its_tokens_from_no_address_inside():
    endpoint = Endpoint(
        provider="vertex", model="gemini", project="p", location="europe-west4", service_account="secret:account"
    )
    (found,) = endpoints.resolve(
        "fast", ModelSpec(endpoints=(endpoint,)), lambda _: Found(Secret('{"token_uri": "http://10.0.0.1"}'), None)
    )

    assert (upstream_of(found).guarded, upstream_of(found).guarded_tokens) == (False, True)
