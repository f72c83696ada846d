"""Versions of functions, captured code, pinned variants, and what is live."""

import msgspec
import pytest

from flyball.functions import live, pinning, service, store
from flyball.functions.errors import CodeNotAllowedError, DeclarationError, FunctionNotFoundError
from flyball.functions.records import FunctionSpec, LiveRelease, pinned_hash
from flyball.indexes import store as indexes
from flyball.infra.context import Actor
from flyball.infra.db.database import execute
from flyball.kit.hashing import bytes_hash
from flyball.models import service as models
from flyball.models.records import Endpoint, ModelSpec
from flyball.prompts import service as prompts

QUESTION = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
RULES = {"ask_rules": b"def best(input, tools): return 'x'\n"}
BY_RULES = {"kind": "rules", "code": "ask_rules:best", "retrieval": {"index": "docs", "k": 3}}
BY_PROMPT = {"kind": "prompt", "prompt": "ask", "model": "fast", "parameters": {"temperature": 0}}


def spec(**variants):
    return msgspec.convert({"input": QUESTION, "variants": variants}, FunctionSpec)


async def put(ctx, declared, sources=RULES):
    async with ctx.db.transaction() as connection:
        return await service.put(connection, ctx, "ask", declared, sources)


async def pin(ctx, function):
    async with ctx.db.transaction() as connection:
        return await pinning.pin_variants(connection, ctx, function)


@pytest.fixture
async def model_and_prompt(ctx):
    endpoint = Endpoint(
        provider="openai-compatible", base_url="http://127.0.0.1:1/v1", model="small", api_key="env:ASK_KEY"
    )
    async with ctx.db.transaction() as connection:
        await models.put(connection, ctx, "fast", ModelSpec(endpoints=(endpoint,)))
        await prompts.put(connection, ctx, "ask", "prompts/ask.md", "---\nvariables: [question]\n---\n{{ question }}")


@pytest.fixture
async def built_index(ctx, index_version):
    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            "insert into datasets (id, project, name, kind, created_ns, created_by) values ('ds_1', 'default', 'docs', 'documents', 1, 'x')",
        )
        await execute(
            connection,
            """
            insert into dataset_versions (id, project, dataset_id, dataset, kind, version, hash, rows, parts, parents, source,
                                          licences, splits, card, created_ns, created_by)
            values ('dsv_1', 'default', 'ds_1', 'docs', 'documents', 1, 'sha256:b', 3, '[]', '[]', '{}', '{}', '{}', '{}', 1, 'x')
            """,
        )
        await execute(
            connection,
            "insert into indexes (id, project, name, created_ns, created_by) values ('ix_1', 'default', 'docs', 1, 'x')",
        )
        await indexes.insert_version(connection, index_version)
    return index_version


async def test_the_same_declaration_and_code_make_no_new_version(ctx):
    first = await put(ctx, spec(rules=BY_RULES))
    again = await put(ctx, spec(rules=BY_RULES))
    changed = await put(ctx, spec(rules=BY_RULES), {"ask_rules": b"def best(input, tools): return 'y'\n"})

    assert (first.version, again.id, changed.version) == (1, first.id, 2)
    assert [f.version for f in await service.list_versions(ctx, "ask")] == [2, 1]
    assert (await service.get_function(ctx, "ask")).hash == changed.hash
    with pytest.raises(FunctionNotFoundError, match="'nope'"):
        await service.get_function(ctx, "nope")


async def test_the_code_is_captured_by_hash(ctx):
    function = await put(ctx, spec(rules=BY_RULES))

    assert function.spec.code == {"ask_rules": bytes_hash(RULES["ask_rules"])}
    assert ctx.blobs.get(function.spec.code["ask_rules"]) == RULES["ask_rules"]


async def test_only_who_may_do_everything_may_bring_code(ctx):
    editor = ctx.acting_as(Actor(id="key_1", kind="key", name="ci", permissions=frozenset({"functions.write"})))

    with pytest.raises(CodeNotAllowedError, match="ask_rules"):
        await put(editor, spec(rules=BY_RULES))
    await put(ctx, spec(rules=BY_RULES))
    changed = await put(editor, spec(rules=BY_RULES | {"timeout_seconds": 3}))

    assert changed.version == 2  # the code was captured already


@pytest.mark.parametrize(
    ("variants", "sources", "why"),
    [
        ({"a": {"kind": "rules", "code": "os"}}, RULES, "is not `module:function`"),
        ({"a": {"kind": "rules", "code": "../evil:run"}}, RULES, "is not `module:function`"),
        ({"a": {"kind": "rules", "code": "os:system"}}, RULES, "there is no file os.py"),
        ({"a": {"kind": "rules", "code": "ask_rules:bset"}}, RULES, "did you mean 'best'?"),
        ({"a": {"kind": "rules", "code": "m:f"}}, {"m": b"\n\ndef f(:"}, "m.py:3 is not Python"),
        ({"a": {"kind": "rules", "code": "m:f"}}, {"m": b"async def f(i, t): ..."}, "m.py:1: 'f' is async"),
        ({"a": {"kind": "rules", "code": "m:f"}}, {"m": b"\xff\x00"}, "m.py"),
        ({"a": {"kind": "classifier", "model": "x"}}, {}, "kind 'classifier' cannot run yet"),
        ({"a": {"kind": "chain", "functions": ["x"]}}, {}, "kind 'chain' cannot run yet"),
        ({"a": {**BY_PROMPT, "parameters": {"stream": True}}}, {}, "parameters sets stream"),
        ({}, {}, "variants is empty"),
    ],
)
async def test_a_declaration_that_cannot_work_is_refused_with_its_place(ctx, variants, sources, why):
    with pytest.raises(DeclarationError) as caught:
        await put(ctx, spec(**variants), sources)

    assert caught.value.message.startswith("functions.ask.variants")
    assert why in caught.value.message
    assert await service.list_functions(ctx) == ()


@pytest.mark.parametrize("schema", [{"type": "object", "properties": 3}, {"type": "strnig"}, {"type": "string"}])
async def test_an_input_schema_that_is_none_is_refused(ctx, schema):
    with pytest.raises(DeclarationError, match=r"functions\.ask\.input"):
        await put(ctx, FunctionSpec(input=schema, variants=spec(rules=BY_RULES).variants))


async def test_pinning_names_every_dependency_by_version_and_hash(ctx, built_index, model_and_prompt, monkeypatch):
    monkeypatch.setenv("ASK_KEY", "x")
    function = await put(ctx, spec(rules=BY_RULES, big=BY_PROMPT))

    by_rules, by_prompt = await pin(ctx, function)

    assert by_rules.spec["code"]["hash"] == function.spec.code["ask_rules"]
    assert by_rules.spec["retrieval"]["version"]["id"] == built_index.id
    assert by_rules.spec["retrieval"]["version"]["hash"] == built_index.hash
    assert by_prompt.spec["prompt"]["hash"] == (await prompts.get_prompt(ctx, "ask")).hash
    assert by_prompt.spec["model"]["hash"] == (await models.get_model(ctx, "fast")).hash
    assert (by_rules.available, by_prompt.available) == (True, True)


async def test_pinning_twice_gives_the_same_hash_and_what_is_stored_can_be_recomputed(
    ctx, built_index, model_and_prompt
):
    function = await put(ctx, spec(rules=BY_RULES, big=BY_PROMPT))

    first = await pin(ctx, function)
    second = await pin(ctx, function)
    async with ctx.db.connection() as connection:
        stored = [await store.get_variant(connection, "default", variant.hash) for variant in first]

    assert [v.hash for v in first] == [v.hash for v in second] == [v.hash for v in stored]
    assert [pinned_hash(v.function, v.name, v.kind, v.spec) for v in stored] == [v.hash for v in first]
    assert [v.name for v in await service.list_variants(ctx, "ask")]


async def test_a_new_prompt_version_makes_a_new_variant(ctx, model_and_prompt):
    function = await put(ctx, spec(big=BY_PROMPT))
    (before,) = await pin(ctx, function)
    async with ctx.db.transaction() as connection:
        await prompts.put(
            connection, ctx, "ask", "prompts/ask.md", "---\nvariables: [question]\n---\nPlease: {{ question }}"
        )

    (after,) = await pin(ctx, function)

    assert after.hash != before.hash
    assert after.spec["prompt"]["version"] == 2


async def test_a_model_that_is_not_configured_and_an_index_not_built_are_states_with_reasons(
    ctx, model_and_prompt, monkeypatch
):
    monkeypatch.delenv("ASK_KEY", raising=False)
    function = await put(ctx, spec(rules=BY_RULES, big=BY_PROMPT))

    by_rules, by_prompt = await pin(ctx, function)
    async with ctx.db.connection() as connection:
        stored = await store.variants_of(connection, "default", "ask")

    assert "flyball index build docs" in by_rules.unavailable_reason
    assert "ASK_KEY is not set" in by_prompt.unavailable_reason
    assert [v.name for v in stored] == ["big"]  # what was never built cannot be named exactly


async def test_pinning_refuses_what_does_not_exist(ctx):
    function = await put(ctx, spec(big=BY_PROMPT))

    with pytest.raises(DeclarationError, match="no prompt named 'ask'"):
        await pin(ctx, function)


async def test_a_live_release_is_found_with_its_variants(ctx, model_and_prompt):
    (variant,) = await pin(ctx, await put(ctx, spec(big=BY_PROMPT)))
    release = LiveRelease(
        project="default", function="ask", release_id="rel_1", release_hash="sha256:r", shares=((variant.hash, 1.0),)
    )

    async with ctx.db.transaction() as connection:
        await live.set_live(connection, ctx, release)
        await live.set_live(connection, ctx, release)
        found = await store.all_live(connection)
        variants = await store.live_variants(connection)

    assert found == (release,)
    assert await service.get_live(ctx, "ask") == release
    assert variants[("default", variant.hash)].name == "big"


@pytest.mark.parametrize(
    "shares", [(("sha256:unknown", 1.0),), (("sha256:unknown", 0.5),), (("sha256:a", 2.0), ("sha256:b", -1.0)), ()]
)
async def test_a_live_release_needs_pinned_variants_and_shares_that_sum_to_one(ctx, shares):
    release = LiveRelease(project="default", function="ask", release_id="rel_1", release_hash="sha256:r", shares=shares)

    with pytest.raises(DeclarationError, match="rel_1"):
        async with ctx.db.transaction() as connection:
            await live.set_live(connection, ctx, release)
