"""Versions of prompts: immutable, by hash, each with its audit event."""

import pytest

from flyball.audit import service as audit
from flyball.prompts import service
from flyball.prompts.errors import PromptNotFoundError, PromptTemplateError


async def put(ctx, name, source, path="prompts/ask.md"):
    async with ctx.db.transaction() as connection:
        return await service.put(connection, ctx, name, path, source)


async def test_the_same_source_makes_no_new_version(ctx):
    first = await put(ctx, "ask", "--- user\nHello")
    again = await put(ctx, "ask", "--- user\nHello")

    assert (again.id, again.version) == (first.id, 1)


async def test_a_new_source_makes_the_next_version_and_the_old_one_stays(ctx):
    await put(ctx, "ask", "--- user\nHello")
    second = await put(ctx, "ask", "--- user\nGood day")

    assert second.version == 2
    assert (await service.get_prompt(ctx, "ask")).hash == second.hash
    assert (await service.get_prompt(ctx, "ask", 1)).source == "--- user\nHello"
    assert [p.version for p in await service.list_versions(ctx, "ask")] == [2, 1]
    assert [p.version for p in await service.list_prompts(ctx)] == [2]


async def test_each_version_leaves_one_audit_event(ctx):
    await put(ctx, "ask", "--- user\nHello")
    await put(ctx, "ask", "--- user\nHello")
    await put(ctx, "ask", "--- user\nGood day")

    events = await audit.list_events(ctx)
    assert [event.action for event in events.items] == ["prompts.update", "prompts.create"]


async def test_a_broken_template_is_refused_and_nothing_is_kept(ctx):
    with pytest.raises(PromptTemplateError, match=r"prompts/ask\.md:2"):
        await put(ctx, "ask", "--- user\n{{ undeclared }}")

    assert await service.list_prompts(ctx) == ()


async def test_an_unknown_prompt_is_named(ctx):
    with pytest.raises(PromptNotFoundError, match="'nope'"):
        await service.get_prompt(ctx, "nope")
    with pytest.raises(PromptNotFoundError, match="'nope'"):
        await service.list_versions(ctx, "nope")
