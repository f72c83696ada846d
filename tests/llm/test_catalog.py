"""The catalog's facts where they decide something: which Claude thinks how, where Azure's two APIs are, what Mistral is sent."""

import msgspec
import pytest

from flyball.kit.secrets import Secret
from flyball.llm.addressing import dialects_of, order_of
from flyball.llm.calling import question
from flyball.llm.catalog import vendor
from flyball.llm.losses import Losses
from flyball.llm.providers.protocol import Ask, Upstream
from flyball.llm.translation import dialect

ASK = Ask("openai_chat", "generate", stream=False, body=b"{}")


def upstream(name, model="m", **changes):
    told = {"vendor": name, "base_url": "", "model": model, "api_key": Secret("sk-1"), "dialect": "openai_chat"}
    return Upstream(**{**told, **changes})


def sent(name, body, model="m"):
    """What a chat request becomes for a vendor that is asked in chat, and what is left out of it."""
    losses = Losses("tests")
    asked = dialect("openai_chat").ask(msgspec.json.encode({"model": "any", **body}))
    return msgspec.json.decode(question(asked, "generate", upstream(name, model), losses).ask.body), losses


@pytest.mark.parametrize(
    ("model", "thinking", "sampling", "prefill", "schema"),
    [
        ("claude-opus-6", "adaptive", False, False, True),
        ("claude-opus-5-5", "adaptive", False, False, True),
        ("claude-opus-4-8", "adaptive", False, False, True),
        ("claude-opus-4-7", "adaptive", False, False, True),
        ("claude-sonnet-4-6", "adaptive", True, False, True),
        ("claude-opus-4-5-20251101", "enabled", True, True, True),
        ("claude-haiku-4-5", "enabled", True, True, True),
        ("claude-opus-4-20250514", "enabled", True, True, False),
        ("claude-3-7-sonnet-20250219", "enabled", True, True, False),
        ("claude-3-5-haiku-20241022", "none", True, True, False),
    ],
)
def test_each_claude_is_asked_as_it_can_be_wherever_it_is_hosted(model, thinking, sampling, prefill, schema):
    hosts = {
        "anthropic": model,
        "bedrock": f"us.anthropic.{model}-v1:0",
        "vertex": model[:-9] + "@" + model[-8:] if model[-8:].isdigit() else model,
    }
    for name, called in hosts.items():
        quirks = vendor(name).quirks_for(called)
        assert (quirks.thinking, quirks.sampling, quirks.prefill) == (thinking, sampling, prefill), name
        assert quirks.json_schema == schema, name


@pytest.mark.parametrize(
    ("model", "by"),
    [
        ("gemini-3-pro", "level"),
        ("gemini-flash-latest", "level"),
        ("gemini-2.5-flash", "budget"),
        ("gemini-2.0-flash", "none"),
    ],
)
def test_each_gemini_is_told_how_much_to_think_in_its_own_way(model, by):
    assert vendor("gemini").quirks_for(model).thinking_by == by
    assert vendor("vertex").quirks_for(model).thinking_by == by


@pytest.mark.parametrize("model", ["o3", "o4-mini", "gpt-5", "gpt-5-mini-2025-08-07", "gpt-5-codex"])
def test_an_openai_model_that_reasons_is_not_sent_what_it_refuses(model):
    body, losses = sent("openai", {"messages": [], "temperature": 0.2, "max_tokens": 5}, model)

    assert body == {"model": model, "messages": [], "max_completion_tokens": 5}
    assert tuple(losses.dropped) == ("temperature",)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5-chat-latest", "gpt-5.2", "ft:gpt-4o:acme"])
def test_an_openai_model_that_samples_is_sent_how(model):
    body, losses = sent("openai", {"messages": [], "temperature": 0.2}, model)

    assert body["temperature"] == 0.2
    assert not losses.dropped


def test_a_model_that_does_not_think_is_not_told_how_much():
    for name, model in (("openai", "gpt-4o"), ("groq", "llama-3.3-70b-versatile"), ("mistral", "mistral-large-latest")):
        body, losses = sent(name, {"messages": [], "reasoning_effort": "high"}, model)

        assert "reasoning_effort" not in body
        assert losses.dropped == ("reasoning_effort",)
    assert "reasoning_effort" in sent("groq", {"messages": [], "reasoning_effort": "high"}, "openai/gpt-oss-120b")[0]


def test_an_openai_model_that_reasons_is_better_asked_in_responses():
    assert dialects_of(upstream("openai", "gpt-5.6", dialect=""))[0] == "openai_responses"
    assert dialects_of(upstream("openai", "gpt-4o", dialect=""))[0] == "openai_chat"


def test_azures_two_apis_have_their_own_addresses():
    at = {"base_url": "https://shop.openai.azure.com"}

    current = order_of(upstream("azure-openai", "gpt 4o", **at), ASK, Secret("k1"))
    dated = order_of(upstream("azure-openai", "gpt 4o", api_version="2024-10-21", **at), ASK, Secret("k1"))
    responses = order_of(
        upstream("azure-openai", "gpt 4o", api_version="2025-04-01-preview", dialect="openai_responses", **at),
        ASK._replace(dialect="openai_responses", stream=True),
        Secret("k1"),
    )

    assert current.url == "https://shop.openai.azure.com/openai/v1/chat/completions"
    assert dated.url == (
        "https://shop.openai.azure.com/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21"
    )
    assert responses.url == "https://shop.openai.azure.com/openai/responses?api-version=2025-04-01-preview"
    assert current.secrets == dated.secrets == (("api-key", "k1"),)


def test_deepseeks_two_faces_want_the_key_in_different_headers():
    chat = order_of(upstream("deepseek"), ASK, Secret("k1"))
    messages = order_of(upstream("deepseek"), ASK._replace(dialect="anthropic_messages"), Secret("k1"))

    assert (chat.url, chat.secrets) == (
        "https://api.deepseek.com/chat/completions",
        (("authorization", "Bearer k1"),),
    )
    assert (messages.url, messages.secrets) == (
        "https://api.deepseek.com/anthropic/v1/messages",
        (("x-api-key", "k1"),),
    )


def test_mistral_is_sent_its_own_words_and_nothing_that_it_refuses():
    body, losses = sent(
        "mistral",
        {"messages": [], "seed": 7, "max_completion_tokens": 9, "user": "u", "metadata": {"a": "b"}, "top_p": 0.5},
    )

    assert body == {"model": "m", "messages": [], "random_seed": 7, "max_tokens": 9, "top_p": 0.5}
    assert sorted(losses.dropped) == ["metadata", "user"]


def test_openais_organisation_and_project_are_headers():
    order = order_of(upstream("openai", organization="org-1", project="proj-1"), ASK, Secret("k1"))

    assert dict(order.headers) == {"openai-organization": "org-1", "openai-project": "proj-1"}


def test_where_no_tokens_can_be_counted_nobody_is_asked():
    asked = dialect("anthropic_messages").ask(
        b'{"model":"any","max_tokens":5,"messages":[{"role":"user","content":"a"}]}'
    )

    found = question(asked, "count_tokens", upstream("openrouter", dialect=""), Losses("tests"))

    assert found is None


@pytest.mark.parametrize(("name", "host"), [("anthropic", ""), ("bedrock", "eu.anthropic.")])
@pytest.mark.parametrize(("model", "said"), [("claude-opus-5-5", False), ("claude-opus-5", True)])
def test_a_claude_that_always_thinks_is_not_told_to_stop_and_that_is_named(name, host, model, said):
    losses = Losses("tests")
    asked = dialect("openai_chat").ask(
        b'{"model":"any","reasoning_effort":"none","messages":[{"role":"user","content":"Hello"}]}'
    )

    body = question(asked, "generate", upstream(name, host + model, dialect=""), losses).ask.body

    assert (b'"disabled"' in body) == said
    assert losses.dropped == (() if said else ("reasoning_effort",))
