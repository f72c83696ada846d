"""What a page shows of a span's texts: who said what, where it is a conversation."""

from flyball.traces import service
from flyball.traces.conversation import Line, conversation
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.pages import show_trace
from flyball.traces.told import Told

NOW = 1_763_750_000_000_000_000


def test_a_conversation_is_shown_line_by_line():
    text = """[
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://x/a.png"}}]},
        {"role": "assistant", "reasoning": "A cat?", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "cat"}
    ]"""

    assert conversation(text, longest=100).lines == (
        Line("system", "Be brief."),
        Line("user", "What is this?\n[image: https://x/a.png]"),
        Line("assistant, thinking", "A cat?"),
        Line("assistant, calling a tool", "look({})"),
        Line("tool", "cat"),
    )


def test_a_text_is_shown_as_it_is_and_cut():
    assert conversation("Hello", longest=100) == ((Line("", "Hello"),), False)
    assert conversation("Hello", longest=4) == ((Line("", "Hell"),), True)
    assert conversation("[" * 3_000_000, longest=4) == ((Line("", "[[[["),), True)


def test_a_very_long_conversation_is_cut():
    said = conversation('[{"role":"user","content":"x"}' + ',{"role":"user","content":"x"}' * 300 + "]", longest=4)

    assert (len(said.lines), said.cut) == (200, True)


async def test_a_page_shows_what_a_foreign_span_says(ctx):
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]',
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Hello."}]}]',
        "gen_ai.prompt.name": "greet",
        "langfuse.trace.metadata.tenant": "acme",
    }
    span = Told("a" * 32, "b" * 16, "chat", NOW, NOW + 5, attributes=attributes)
    await take_request(ctx, "traces", spans_request([span]).SerializeToString())
    while await Flusher(ctx).flush():
        pass

    page = await show_trace(ctx, "a" * 32)

    assert (page.input, page.output) == ((Line("user", "Hi"),), (Line("", "Hello."),))
    chosen = (await service.get_trace(ctx, "a" * 32)).nodes[0].span
    assert (chosen.prompt_name, chosen.parameters, chosen.metadata) == (
        "greet",
        {"temperature": 0.5},
        {"tenant": "acme"},
    )
