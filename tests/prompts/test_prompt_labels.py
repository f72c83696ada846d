"""Labels of prompts: which version a name points to, moved with an audit event each; and versions in a client's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.audit import service as audit
from flyball.prompts import labels, mustache, service, template
from flyball.prompts.errors import LabelInvalidError, LabelNotFoundError, PromptNotFoundError, PromptTemplateError
from flyball.prompts.records import Said

HELLO = Said(kind="text", prompt="Hello {{who}}")


async def add(ctx, name="ask", said=HELLO, **more):
    return await service.add_version(ctx, name, said, **more)


async def test_a_label_points_to_one_version_and_moves(ctx):
    await add(ctx, labels=["production"])
    await add(ctx)

    assert (await labels.get_labelled(ctx, "ask", "production")).version == 1
    await labels.set_label(ctx, "ask", "production")
    assert (await labels.get_labelled(ctx, "ask", "production")).version == 2
    await labels.set_label(ctx, "ask", "production", 1)
    assert [(one.label, one.version) for one in await labels.list_labels(ctx, "ask")] == [("production", 1)]


async def test_each_move_leaves_one_audit_event_and_none_where_nothing_moves(ctx):
    await add(ctx, labels=["production"])
    await labels.set_label(ctx, "ask", "production", 1)
    await labels.remove_label(ctx, "ask", "production")

    events = (await audit.list_events(ctx)).items
    assert [event.action for event in events] == ["prompts.unlabel", "prompts.label", "prompts.create"]
    assert events[1].object_name == "ask 1 is production"


async def test_the_newest_is_latest_and_nobody_sets_that(ctx):
    await add(ctx)
    await add(ctx)

    assert (await labels.get_labelled(ctx, "ask", "latest")).version == 2
    for label in ("latest", "Production", "", "a b", "x" * 81, "-x"):
        with pytest.raises(LabelInvalidError):
            await labels.set_label(ctx, "ask", label)


async def test_what_has_no_label_is_not_found_by_it(ctx):
    await add(ctx)

    with pytest.raises(LabelNotFoundError, match="'production'"):
        await labels.get_labelled(ctx, "ask", "production")
    with pytest.raises(LabelNotFoundError, match="'staging'"):
        await labels.remove_label(ctx, "ask", "staging")
    with pytest.raises(PromptNotFoundError, match="'nope'"):
        await labels.get_labelled(ctx, "nope", "latest")
    with pytest.raises(PromptNotFoundError, match="version 7"):
        await labels.set_label(ctx, "ask", "staging", 7)


async def test_what_is_declared_is_in_production_until_somebody_says_otherwise(ctx):
    async with ctx.db.transaction() as connection:
        for source in ("--- user\nHello", "--- user\nGood day"):
            await service.put(connection, ctx, "ask", "ask.md", source)

    assert (await labels.get_labelled(ctx, "ask", "production")).version == 2
    await labels.set_label(ctx, "ask", "production", 1)
    assert (await labels.get_labelled(ctx, "ask", "production")).version == 1
    with pytest.raises(LabelNotFoundError):
        await labels.get_labelled(ctx, "ask", "staging")


async def test_the_same_words_with_another_configuration_are_another_hash(ctx):
    first = await add(ctx)
    second = await add(ctx, said=Said(kind="text", prompt="Hello {{who}}", config={"model": "m"}))

    assert (first.source, first.version + 1) == (second.source, second.version)
    assert first.hash != second.hash


async def test_applying_what_was_exported_makes_no_new_version(ctx):
    made = await add(ctx, said=Said(kind="text", prompt="Hello {{who}}", config={"model": "m"}))

    async with ctx.db.transaction() as connection:
        again = await service.put(connection, ctx, "ask", made.path, made.source)

    assert again == made


_PIECES = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "{",
    "}",
    "name",
    "{{name}}",
    "{{ a.b }}",
    "{{loop}}",
    "\n",
    "--- user\n",
    "---",
    '"',
    "\\",
    " ",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_a_text_with_braces_says_the_same_as_a_prompt_file(middle):
    text = f"x{middle}x"
    source = mustache.as_source(Said(kind="text", prompt=text))

    [message] = template.render(source, {name: f"<{name}>" for name in mustache.variables(text)})

    assert message.role == "user"
    assert message.content == _filled(text)


def _filled(text):
    """By hand, as their clients do it: from the left, the first closing braces after the first opening ones."""
    done, rest = "", text
    while "{{" in rest and "}}" in rest[rest.index("{{") :]:
        start = rest.index("{{")
        end = rest.index("}}", start)
        name = rest[start + 2 : end].strip()
        done += rest[:start] + (f"<{name}>" if name == "name" else rest[start : end + 2])
        rest = rest[end + 2 :]
    return done + rest


@pytest.mark.parametrize(
    ("kind", "prompt"),
    [("text", None), ("text", ["a"]), ("chat", "a"), ("chat", []), ("chat", ["a"]), ("chat", [{"content": "a"}]),
     ("chat", [{"role": "user", "content": 1}]), ("chat", [{"type": "placeholder", "name": "a b"}]), ("text", "a\0b")],
)  # fmt: skip
async def test_what_is_neither_a_text_nor_messages_is_refused(ctx, kind, prompt):
    with pytest.raises(PromptTemplateError):
        await add(ctx, said=Said(kind=kind, prompt=prompt))

    assert await service.list_prompts(ctx) == ()


async def test_what_a_prompt_file_cannot_say_stands_in_its_description(ctx):
    chat = [
        {"role": "developer", "content": "Be brief."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "Why?"},
    ]
    made = await add(ctx, said=Said(kind="chat", prompt=chat))

    parsed = template.parse(made.source)
    assert [section.role for section in parsed.sections] == ["system", "user", "user"]
    assert "'developer', here system" in parsed.description
    assert "'history', here one text" in parsed.description
