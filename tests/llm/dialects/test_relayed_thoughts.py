"""What other vendors' models thought, in conversations that are relayed: taken out and named, all else byte for byte."""

import base64
import json

import pytest

from flyball.llm.catalog import vendor
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.errors import CannotCarryError
from flyball.llm.losses import Losses
from flyball.llm.translation import dialect

FOREIGN = "flyball:google:next::EqQB"
OPENAI = "flyball:openai::rs_1:gAAA"
OURS = "rs_" + "0af7651916cd43dd8448eb211c80319c" + "_0"
THINKING = {"type": "enabled", "budget_tokens": 1024}
USE = {"type": "tool_use", "id": "call_1", "name": "look", "input": {}}
USED = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}]}
CLAUDE, GEMINI_3 = Quirks(), Quirks(thinking_by="level")


def in_base64(envelope: str) -> str:
    return base64.b64encode(envelope.encode()).decode()


def relayed(name, body, *, quirks=None, strict=False):
    """The body that the provider gets, and what is named."""
    spoken, losses = dialect(name), Losses(name, strict=strict)
    asked = spoken.ask(body if isinstance(body, bytes) else json.dumps(body).encode(), model="m")
    sent = spoken.relayed(asked, model="m", quirks=quirks or Quirks(), losses=losses)
    return sent if isinstance(body, bytes) else json.loads(sent), losses.dropped


def claude(*blocks, **more):
    turn = {"role": "assistant", "content": list(blocks)}
    return {"model": "m", "messages": [{"role": "user", "content": "q"}, turn, USED], **more}


def gemini(*parts, **more):
    contents = [{"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": list(parts)}]
    return {"contents": [*contents, {"role": "user", "parts": [{"text": "r"}]}], **more}


# -- Anthropic


@pytest.mark.parametrize(
    "thought",
    [
        {"type": "thinking", "thinking": "hm", "signature": FOREIGN},
        {"type": "thinking", "thinking": "hm", "signature": OPENAI},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "redacted_thinking", "data": OPENAI},
    ],
)
def test_claude_is_sent_no_thought_that_it_did_not_sign(thought) -> None:
    own = {"type": "thinking", "thinking": "oh", "signature": "EqQB"}

    sent, lost = relayed("anthropic_messages", claude(thought, own, USE, thinking=THINKING))

    assert sent["messages"][1]["content"] == [own, USE]
    assert sent["thinking"] == THINKING
    assert lost == ("messages[1].content[0].thinking",)


def test_a_signature_of_claudes_comes_out_of_its_envelope() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "flyball:anthropic:::EqQB"}

    sent, lost = relayed("anthropic_messages", claude(thought, USE))

    assert sent["messages"][1]["content"] == [{**thought, "signature": "EqQB"}, USE]
    assert lost == ()


def test_claude_is_asked_not_to_think_behind_a_call_that_has_lost_its_thought() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": OPENAI}

    sent, lost = relayed("anthropic_messages", claude(thought, USE, thinking=THINKING))

    assert sent["messages"][1]["content"] == [USE]
    assert "thinking" not in sent
    assert lost == ("messages[1].content[0].thinking", "thinking")


def test_claude_is_asked_not_to_think_behind_a_call_that_never_had_a_thought() -> None:
    sent, lost = relayed("anthropic_messages", claude(USE, thinking=THINKING))

    assert "thinking" not in sent
    assert lost == ("thinking",)


def test_claude_that_thinks_as_it_sees_fit_goes_on_thinking_behind_such_a_call() -> None:
    sent, lost = relayed("anthropic_messages", claude(USE, thinking={"type": "adaptive"}))

    assert sent["thinking"] == {"type": "adaptive"}
    assert lost == ()


def test_a_turn_that_was_nothing_but_anothers_thought_goes() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": [thought]}]}

    sent, lost = relayed("anthropic_messages", body)

    assert sent["messages"] == [{"role": "user", "content": "q"}]
    assert lost == ("messages[1].content[0].thinking",)


def test_a_server_of_open_models_takes_a_thought_that_nobody_signed() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}

    sent, lost = relayed(
        "anthropic_messages", claude(thought, USE, thinking=THINKING), quirks=vendor("vllm").quirks_for("qwen")
    )

    assert (sent["messages"][1]["content"], lost) == ([thought, USE], ())


def test_a_strict_caller_is_told_which_thought_is_anothers() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": OPENAI}

    with pytest.raises(CannotCarryError, match=r"messages\[1\]\.content\[0\]\.thinking cannot be carried"):
        relayed("anthropic_messages", claude(thought, USE), strict=True)


def test_what_stands_beside_a_thought_that_goes_keeps_its_bytes() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":'
        b'[{"type":"thinking","thinking":"hm","signature": ""},{"type":"tool_use","id":"a","name":"f","input":{"x": 1.0}}]}]}'
    )

    sent, _ = relayed("anthropic_messages", body)

    assert sent == body.replace(b'{"type":"thinking","thinking":"hm","signature": ""},', b"")


@pytest.mark.parametrize(
    ("name", "conversation"),
    [
        ("anthropic_messages", b'"flyball:"'),
        ("anthropic_messages", b'["flyball:"]'),
        ("anthropic_messages", b'[{"role":1,"content":["flyball:",{"type":[]},{"type":"tool_use"}]}]'),
        ("anthropic_messages", b'[{"role":"assistant","content":[{"type":"thinking","signature":"flyball:\xff"}]}]'),
        ("gemini", b'"Zmx5YmFsbDp"'),
        ("gemini", b'[{"role":"model","\xff":"Zmx5YmFsbDp"}]'),
        ("gemini", b'[{"role":"model","parts":[{"thoughtSignature":"Zmx5YmFsbDp\xff"}]}]'),
        ("gemini", b'[{"role":"model","parts":["functionCall"]}]'),
        ("openai_responses", b'{"flyball:":1}'),
        ("openai_responses", b'[1,"flyball:",{"type":"reasoning","encrypted_content":"flyball:\xff"}]'),
        ("openai_responses", b'[{"type":{},"id":"rs_0af7651916cd43dd8448eb211c80319c_0"}]'),
        ("openai_chat", b'[{"role":"assistant","reasoning_details":"no"}]'),
    ],
)
def test_a_conversation_that_is_none_is_left_to_the_vendor(name, conversation) -> None:
    field = dialect(name).input_field.encode()
    thinking = b',"thinking":{"type":"enabled"}' if name == "anthropic_messages" else b""
    head = b"{" if name == "gemini" else b'{"model":"m",'
    body = b'%b"%b":%b%b}' % (head, field, conversation, thinking)

    assert relayed(name, body, quirks=GEMINI_3) == (body, ())


# -- Gemini


def test_gemini_is_sent_no_signature_of_anothers() -> None:
    seal = in_base64("flyball:anthropic:::EqQB")
    call = {"functionCall": {"name": "look", "args": {}}}
    own = {"text": "b", "thoughtSignature": "Q2lR"}
    parts = (
        {"text": "hm", "thought": True, "thoughtSignature": seal},
        {"text": "", "thoughtSignature": seal},
        {"text": "a", "thoughtSignature": seal},
        own,
        {**call, "thoughtSignature": seal},
    )

    sent, lost = relayed("gemini", gemini(*parts))

    assert sent["contents"][1]["parts"] == [{"text": "a"}, own, call]
    assert lost == (
        "contents[1].parts[0].thought",
        *(f"contents[1].parts[{at}].thoughtSignature" for at in (1, 2, 4)),
    )


@pytest.mark.parametrize("field", ["functionCall", "function_call"])
@pytest.mark.parametrize("seal", [{}, {"thoughtSignature": in_base64(OPENAI)}])
def test_gemini_3_gets_googles_stand_in_for_the_first_call_of_a_turn_alone(field, seal) -> None:
    first, second = {field: {"name": "look", "args": {}}, **seal}, {field: {"name": "now", "args": {}}}

    sent, _ = relayed("gemini", gemini(first, second), quirks=GEMINI_3)

    assert [part.get("thoughtSignature") for part in sent["contents"][1]["parts"]] == [
        "skip_thought_signature_validator",
        None,
    ]


def test_a_sound_turn_of_gemini_3_keeps_its_bytes() -> None:
    body = (
        b'{"contents":[{"role": "model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"Q2lR"}]},'
        b'{"role":"model","parts": [{"functionCall":{"name":"g"}}]}]}'
    )

    assert relayed("gemini", body, quirks=GEMINI_3) == (body, ())


def test_a_signature_of_googles_comes_out_of_its_envelope_and_onto_the_part_behind_it() -> None:
    call = {"functionCall": {"name": "look", "args": {}}}
    before = {"thought": True, "thoughtSignature": in_base64("flyball:google:next::Q2lR")}
    whole = {"text": "b", "thoughtSignature": in_base64("flyball:google::id:Q2lS")}

    sent, lost = relayed("gemini", gemini(before, call, whole))

    assert sent["contents"][1]["parts"] == [
        {**call, "thoughtSignature": "Q2lR"},
        {"text": "b", "thoughtSignature": "Q2lS"},
    ]
    assert lost == ()


def test_a_question_for_the_number_of_tokens_loses_the_same() -> None:
    thought = {"text": "hm", "thought": True, "thoughtSignature": in_base64(OPENAI)}

    sent, lost = relayed("gemini", {"generateContentRequest": gemini(thought)})

    assert [turn["role"] for turn in sent["generateContentRequest"]["contents"]] == ["user", "user"]
    assert lost == ("contents[1].parts[0].thought",)


# -- Responses


def test_openai_is_sent_no_thought_under_a_name_of_ours() -> None:
    kept = {"type": "reasoning", "id": "rs_68af4030baa48193b0b43b4c2a176a1a0e6967589f080e78", "summary": []}
    ours = {"type": "reasoning", "id": OURS, "summary": [{"type": "summary_text", "text": "hm"}]}
    said = {"role": "assistant", "content": "a"}

    sent, lost = relayed("openai_responses", {"model": "m", "input": [ours, kept, said]})

    assert sent["input"] == [kept, said]
    assert lost == ("input[0]",)


def test_a_thought_of_openais_comes_out_of_its_envelope_under_its_own_name() -> None:
    sealed = {"type": "reasoning", "id": OURS, "summary": [], "encrypted_content": OPENAI}

    sent, lost = relayed("openai_responses", {"model": "m", "input": [sealed]})

    assert sent["input"] == [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}]
    assert lost == ()


def test_what_only_names_a_thought_of_ours_goes_and_what_names_words_is_refused() -> None:
    thought = {"type": "item_reference", "id": OURS}
    theirs = {"type": "item_reference", "id": "msg_68af4030baa4"}

    sent, lost = relayed("openai_responses", {"model": "m", "input": [thought, theirs]})

    assert (sent["input"], lost) == ([theirs], ("input[0]",))
    with pytest.raises(CannotCarryError, match="send the item itself"):
        relayed("openai_responses", {"model": "m", "input": [{**theirs, "id": OURS.replace("rs", "msg")}]})


# -- Chat

SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "EqQB", "format": "anthropic-claude-v1", "index": 0}
UNSIGNED = {"type": "reasoning.text", "text": "hm", "format": "MiniMax-response-v1", "index": 0}


def chat(quirks, **fields):
    """The assistant's message as the vendor gets it, without its words, and what is named."""
    said = {"role": "assistant", "content": "a", **fields}
    sent, lost = relayed(
        "openai_chat", {"model": "m", "messages": [{"role": "user", "content": "q"}, said]}, quirks=quirks
    )
    return {name: value for name, value in sent["messages"][1].items() if name not in ("role", "content")}, lost


@pytest.mark.parametrize("name", ["openai", "groq", "mistral", "deepseek", "openai-compatible"])
def test_a_thought_that_another_signed_goes_to_no_vendor_of_plain_thoughts(name) -> None:
    sent, lost = chat(vendor(name).quirks_for("m"), reasoning_content="hm", reasoning_details=[SIGNED])

    assert sent == {}
    assert lost == ("messages[1].reasoning_details",)


def test_openrouter_gets_signed_thoughts_as_they_are() -> None:
    fields = {"reasoning_content": "hm", "reasoning_details": [SIGNED]}

    assert chat(vendor("openrouter").quirks_for("m"), **fields) == (fields, ())


def test_openrouter_gets_none_in_an_envelope_of_ours() -> None:
    other = {"type": "reasoning.encrypted", "data": FOREIGN, "format": "google-gemini-v1", "index": 1}

    sent, lost = chat(vendor("openrouter").quirks_for("m"), reasoning_details=[SIGNED, other])

    assert sent == {"reasoning_details": [SIGNED]}
    assert lost == ("messages[1].reasoning_details",)


@pytest.mark.parametrize(
    ("name", "given", "sent", "lost"),
    [
        ("groq", {"reasoning_content": "hm"}, {"reasoning": "hm"}, ()),
        ("groq", {"reasoning_content": None}, {}, ()),
        ("groq", {"reasoning": "hm", "reasoning_content": "hm"}, {"reasoning": "hm"}, ()),
        ("groq", {"reasoning_details": [UNSIGNED]}, {}, ("messages[1].reasoning_details",)),
        ("mistral", {"reasoning_content": "hm"}, {}, ("messages[1].reasoning_content",)),
        ("mistral", {"reasoning": "hm"}, {}, ("messages[1].reasoning",)),
        ("mistral", {"reasoning": None}, {}, ()),
        ("deepseek", {"reasoning_content": "hm"}, {"reasoning_content": "hm"}, ()),
        ("openai-compatible", {"reasoning_details": [UNSIGNED]}, {"reasoning_details": [UNSIGNED]}, ()),
    ],
)
def test_a_thought_in_words_stands_where_the_vendor_takes_it(name, given, sent, lost) -> None:
    assert chat(vendor(name).quirks_for("m"), **given) == (sent, lost)


# -- threads


def test_a_thread_that_nobody_keeps_is_refused_in_anthropics_own_words() -> None:
    spoken = dialect("anthropic_messages")

    refused = json.loads(spoken.error(400, "no", code="cannot_carry", param="thread"))
    other = json.loads(spoken.error(400, "no", code="cannot_carry", param="container"))

    assert refused["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    assert other["error"] == {"type": "invalid_request_error", "message": "no"}
