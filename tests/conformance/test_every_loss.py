"""Whatever a request or an answer holds is said, named or refused in every dialect: each field with it and without it.

A field that changes neither what is written nor what is named has been lost, unless it stands among those that say nothing.
"""

import msgspec
import pytest

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import Choice, Completion, events_of
from flyball.llm.dialect import Frame
from flyball.llm.errors import CannotCarryError, InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Cache,
    Citation,
    Media,
    Message,
    Native,
    NativeTool,
    Reasoning,
    Refusal,
    Request,
    ResponseFormat,
    Signature,
    Stop,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from flyball.llm.translation import DIALECTS, dialect
from flyball.llm.usage import Usage

SPOKEN = [name for name in DIALECTS if name != "bedrock_converse"]
ACROSS = [(source, target) for source in SPOKEN for target in DIALECTS if source != target]
QUIRKS = [
    Quirks(),
    Quirks(thinking="none", thinking_by="none", sampling=False, strict_tools=False, prefill=False, reasoning_field=""),
    Quirks(thinking="adaptive", thinking_by="level", thinking_off=False, schemas="openapi", temperature_max=0.5),
    Quirks(cache_points="cache_control", reasoning_details=True, developer_role=True, alternating_roles=True),
    Quirks(cache_points="prompt_cache_breakpoint", most_stops=1, tool_call_ids="alphanumeric9"),
]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
SIGNED = Signature(data="c2ln", origin="nobody")
POINT = Cache(ttl="1h")
LOOK = Tool(name="look", description="Looks.", parameters=SCHEMA)
CALL = ToolCall(id="call_12345", name="look", arguments="{}")
RESULT = ToolResult(call_id="call_12345", name="look", parts=(Text(text="a wall"),))
FORM = ResponseFormat(kind="schema", schema=SCHEMA)
replace = msgspec.structs.replace


# -- requests

# What says where and how things stand, or is named as it is read; what is said of what is said at all.
NOT_HERE = {
    Request: {
        "dialect",
        "model",
        "messages",
        "native",
        "extra",
        "leftovers",
        "paths",
        "places",
        "tool_paths",
        "stream",
    },
    Message: {"role", "parts", "extra"},
    Text: {"text", "extra"},
    Media: {"kind", "media_type", "data", "text", "url", "file_id", "extra"},
    Thinking: {"extra"},
    ToolCall: {"id", "name", "extra"},
    ToolResult: {"call_id", "extra"},
    Tool: {"name", "extra", "grammar"},
    ToolChoice: {"mode"},
    ResponseFormat: {"kind"},
    Reasoning: {"adaptive"},
}
ASKED = {
    "tools": (LOOK,), "tool_choice": ToolChoice(mode="none"), "parallel_tool_calls": False, "response_format": FORM,
    "reasoning": Reasoning(effort="high"), "max_tokens": 99, "temperature": 0.7, "top_p": 0.3, "top_k": 5,
    "stop": ("END", "OVER"), "seed": 7, "frequency_penalty": 0.1, "presence_penalty": 0.2, "candidates": 2, "logprobs": True,
    "top_logprobs": 3, "modalities": ("audio",), "verbosity": "low", "user": "u1", "metadata": {"a": "b"},
    "service_tier": "flex", "store": True, "cache": Cache(),
}  # fmt: skip
# Things, and what is said of them.
OF_PARTS = [
    (Text(text="Hi"), {"citations": (Citation(url="https://a.org"),), "cache": POINT}),
    *(
        (media, {"name": "a title", "context": "said", "cite": True, "cache": POINT}
         | ({"detail": "low"} if media.kind == "image" else {}))
        for media in (
            Media(kind="image", media_type="image/png", data=PNG), Media(kind="image", url="https://a.org/a.png"),
            Media(kind="image", file_id="file_1"), Media(kind="document", media_type="application/pdf", data="JVBERi0="),
            Media(kind="document", media_type="text/plain", text="Words."), Media(kind="document", file_id="file_1"),
            Media(kind="document", url="https://a.org/a.pdf"), Media(kind="audio", media_type="audio/wav", data="UklGRg=="),
            Media(kind="video", media_type="video/mp4", data="AAAA"),
        )
    ),
]  # fmt: skip
OF_ANSWERED = [
    (CALL, {"arguments": '{"a":"b"}', "custom": True, "signature": SIGNED, "cache": POINT}),
    *(
        (
            Thinking(text="Hmm.", signature=Signature(data="c2ln", origin=origin)),
            {"text": "Hm?", "signature": SIGNED, "redacted": True, "belongs_to_next": True},
        )
        for origin in ("anthropic", "google", "openai")
    ),
    (Thinking(text="Hmm."), {"text": "Hm?"}),
    (Text(text="Hi"), {"signature": SIGNED, "citations": (Citation(url="https://a.org"),), "cache": POINT}),
    (Media(kind="image", media_type="image/png", data=PNG), {"signature": SIGNED}),
]
OF_RESULTS = [
    (RESULT, {"name": "look", "is_error": True, "custom": True, "cache": POINT, "parts": (Text(text="a door"),)})
]
OF_TOOLS = [(LOOK, {"description": "Sees.", "parameters": None, "strict": True, "custom": True, "cache": POINT})]
OF_FORMS = [
    (FORM, {"schema": msgspec.Raw(b'{"type":"object"}'), "description": "A wall.", "name": "wall", "strict": True})
]
OF_THINKING = [
    (Reasoning(effort="high"), {"effort": "low", "budget": 2000, "show": "auto"}),
    (Reasoning(budget=2000), {"effort": "high", "show": "auto", "budget": 9000}),
    (Reasoning(adaptive=True), {"effort": "low", "show": "auto"}),
]
# What says nothing, and for whom; where nobody stands, for everybody.
SAYS_NOTHING = {
    ("Request", "parallel_tool_calls"): (),  # where there are no tools: tried with some below
    ("Request", "tool_choice"): (),  # the same
    ("ResponseFormat", "name"): ("anthropic_messages", "gemini"),  # OpenAI demands one of a schema; it means nothing
    ("ResponseFormat", "strict"): ("anthropic_messages", "gemini", "bedrock_converse"),  # held to every schema
    ("Reasoning", "show"): ("gemini",),  # thoughts are shown there unless they are not wanted
    ("Thinking", "redacted"): ("openai_chat",),  # what OpenAI seals has a summary or none
    ("ToolResult", "name"): (),  # that of its call, which is known
    ("ToolResult", "custom"): (),  # as its call is
}


def of(field):
    """A request of nothing but words, with or without a field."""
    return lambda source, value: Request(dialect=source, model="m", messages=_said(), **{field: value})


def _said(*more, at="user"):
    parts = (Text(text="Look."), *more) if at == "user" else (Text(text="Look."),)
    turns = [Message(role="user", parts=parts)]
    if at != "user":
        parts = more if any(isinstance(one, ToolCall) for one in more) else (*more, CALL)
        turns += [Message(role="assistant", parts=parts if at == "assistant" else (CALL,))]
        turns += [Message(role="tool", parts=more if at == "tool" else (RESULT,))]
    return tuple(turns)


def _of_part(at):
    def made(source, part):
        tools = (LOOK,) if at != "user" else ()
        return Request(dialect=source, model="m", messages=_said(part, at=at), tools=tools, max_tokens=30_000)

    return made


def _in_result(source, part):
    return _of_part("tool")(source, replace(RESULT, parts=(part,)))


def _things():
    """Each thing, how a request of it is made, and what is changed of it."""
    yield from ((thing, _of_part("user"), changes) for thing, changes in OF_PARTS)
    yield from ((thing, _in_result, changes) for thing, changes in OF_PARTS)
    yield from ((thing, _of_part("assistant"), changes) for thing, changes in OF_ANSWERED)
    yield from ((thing, _of_part("tool"), changes) for thing, changes in OF_RESULTS)
    yield from ((thing, lambda source, tool: of("tools")(source, (tool,)), changes) for thing, changes in OF_TOOLS)
    yield from ((thing, of("response_format"), changes) for thing, changes in OF_FORMS)
    yield from (
        (thing, lambda source, asked: replace(of("reasoning")(source, asked), max_tokens=30_000), changes)
        for thing, changes in OF_THINKING
    )


def outcome(target, request, quirks):
    """What is written and what is named, or what is refused by name."""
    losses = Losses(target)
    try:
        return dialect(target).write_request(request, model="m", quirks=quirks, losses=losses), losses.dropped
    except (CannotCarryError, InvalidBodyError) as error:
        return error.param or pytest.fail(f"it names no field: {error}")


def test_every_field_of_the_vocabulary_is_tried():
    tried = {Request: {*ASKED}, Message: {"name"}, ToolChoice: {"tools"}}
    for thing, _, changes in _things():
        tried.setdefault(type(thing), set()).update(changes)

    for type_, left_out in NOT_HERE.items():
        assert tried[type_] | left_out == set(type_.__struct_fields__)


@pytest.mark.parametrize("quirks", QUIRKS, ids=range(len(QUIRKS)))
@pytest.mark.parametrize(("source", "target"), ACROSS)
def test_every_field_of_a_request_is_said_named_or_refused(source, target, quirks):
    lost = []

    for field, value in ASKED.items():
        request = Request(dialect=source, model="m", messages=_said())
        if outcome(target, request, quirks) == outcome(target, replace(request, **{field: value}), quirks):
            lost.append(("Request", field))

    assert _but_nothing(lost, target) == []


@pytest.mark.parametrize("quirks", QUIRKS, ids=range(len(QUIRKS)))
@pytest.mark.parametrize(("source", "target"), ACROSS)
def test_every_field_of_every_part_is_said_named_or_refused(source, target, quirks):
    lost = []

    for thing, made, changes in _things():
        without = outcome(target, made(source, thing), quirks)
        if isinstance(without, str):
            continue  # refused as a whole
        if without[1]:
            continue  # named as a whole
        for field, value in changes.items():
            if without == outcome(target, made(source, replace(thing, **{field: value})), quirks):
                lost.append((type(thing).__name__, field, thing))

    assert _but_nothing(lost, target) == []


@pytest.mark.parametrize(("source", "target"), ACROSS)
def test_every_turn_and_every_tool_is_said_named_or_refused(source, target):
    asked = replace(of("tools")(source, (LOOK, replace(LOOK, name="again"))), max_tokens=30_000)
    pairs = [
        (asked, replace(asked, tool_choice=ToolChoice(mode=mode, tools=tools)))
        for mode in ("none", "required", "auto")
        for tools in ((), ("look",))
        if mode != "auto" or tools
    ]
    pairs += [
        (asked, replace(asked, parallel_tool_calls=False)),
        (asked, replace(asked, reasoning=Reasoning(adaptive=True))),
        (asked, replace(asked, reasoning=Reasoning(budget=-1))),
        (
            asked,
            replace(asked, tools=(*asked.tools, NativeTool(dialect=source, kind="search", raw={"type": "search"}))),
        ),
        (asked, replace(asked, messages=(replace(asked.messages[0], name="Ann"),))),
        *(
            (asked, replace(asked, messages=(Message(role=role, parts=(Text(text="Be brief."),)), *asked.messages)))
            for role in ("system", "developer")
        ),
    ]
    for extra in (Refusal(text="No."), Native(dialect=source, kind="odd", raw={"type": "odd"}), Text(text="Well.")):
        turns = (*asked.messages, Message(role="assistant", parts=(extra,)), *asked.messages)
        pairs.append((replace(asked, messages=(*asked.messages, *asked.messages)), replace(asked, messages=turns)))

    for without, with_it in pairs:
        assert outcome(target, without, Quirks()) != outcome(target, with_it, Quirks())


def _but_nothing(lost, target):
    kept = []
    for type_, field, *thing in lost:
        whom = SAYS_NOTHING.get((type_, field))
        if whom is None or (whom and target not in whom):
            kept.append((type_, field, *thing))
    return kept


# -- answers

WORDS = Text(text="It is a door.")
URL = Citation(url="https://a.org", title="A", start=0, end=2)
PAGE = Citation(kind="document", title="Facts", quote="a door")
ANSWERED = [
    *((replace(Stop(reason="stop"), reason=one), Stop(reason="stop")) for one in ("max_tokens", "content_filter", "refusal")),
    *((Stop(reason=one, native="brand_new"), Stop(reason="stop")) for one in ("pause", "context", "other")),
    (Stop(reason="context"), Stop(reason="max_tokens")),
    (Stop(reason="stop_sequence", sequence="END"), Stop(reason="stop")),
]  # fmt: skip
CITED = [
    (URL, None), (PAGE, None), (Citation(kind="file", file_id="file_1", title="a.txt"), None),
    *((replace(URL, **{name: value}), URL) for name, value in
      {"url": "https://b.org", "title": "B", "quote": "door", "start": 1, "end": 3}.items()),
    *((replace(PAGE, **{name: value}), PAGE) for name, value in
      {"title": "B", "quote": "door", "file_id": "file_1"}.items()),
]  # fmt: skip
SPOKEN_PARTS = [
    (CALL, None), (replace(CALL, custom=True), CALL), (replace(CALL, arguments='{"a":1}'), CALL),
    (replace(CALL, signature=SIGNED), CALL), (replace(CALL, id="call_2"), CALL), (Refusal(text="No."), None),
    (Thinking(text="Hmm."), None), (Thinking(text="Hmm.", signature=SIGNED), Thinking(text="Hmm.")),
    (Thinking(signature=SIGNED, redacted=True), None), (Thinking(signature=SIGNED, belongs_to_next=True), None),
    (Media(kind="image", media_type="image/png", data=PNG), None), (Media(kind="image", url="https://a.org/a.png"), None),
    (Media(kind="audio", media_type="audio/wav", data="UklGRg=="), None), (replace(WORDS, signature=SIGNED), WORDS),
]  # fmt: skip
LOGPROBS = {"content": [{"token": "It", "logprob": -0.1, "bytes": [73, 116], "top_logprobs": []}], "refusal": None}


def answer(*parts, stop=None, usage=None, **fields):
    """One that says something."""
    return Completion(
        id="x",
        model="m",
        choices=(Choice(parts=(WORDS, *parts), stop=stop or Stop(reason="stop")),),
        usage=usage,
        **fields,
    )


def answered(target, completion):
    """What is written and what is named, whole and as a stream. What is refused is refused in the stream."""
    whole, streamed = Losses(target), Losses(target)
    frame = Frame(id="ID", created=0, model="m")
    body = dialect(target).write_completion(completion, frame, whole)
    writer = dialect(target).writer(frame, streamed)
    events = b"".join(writer.write(event) for event in events_of(completion)) + writer.end()
    return (body, whole.dropped), (events, streamed.dropped)


def pairs_of_answers():
    """Answers with a thing and without it."""
    yield from ((answer(stop=stop), answer(stop=other)) for stop, other in ANSWERED)
    for part, other in SPOKEN_PARTS:
        yield answer(part), answer(*(() if other is None else (other,)))
    for cited, other in CITED:
        said = [replace(WORDS, citations=() if one is None else (one,)) for one in (cited, other)]
        yield answer(said[0]), answer(said[1])
    counted = Usage(input_tokens=20, output_tokens=9)
    for name in Usage.__struct_fields__:
        if name != "estimated":
            yield answer(usage=replace(counted, **{name: 30})), answer(usage=counted)
    yield answer(usage=counted), answer()
    yield answer(usage=counted, service_tier="flex"), answer(usage=counted)
    yield answer(leftovers=("odd",)), answer()
    spoken = answer()
    yield replace(spoken, choices=(replace(spoken.choices[0], logprobs=LOGPROBS),)), spoken
    yield replace(spoken, choices=(*spoken.choices, replace(spoken.choices[0], index=1))), spoken


@pytest.mark.parametrize("target", SPOKEN)
def test_every_field_of_an_answer_is_told_or_named_whole_and_as_a_stream(target):
    lost = []

    for with_it, without in pairs_of_answers():
        for how, one, other in zip(
            ("whole", "streamed"), answered(target, with_it), answered(target, without), strict=True
        ):
            if one == other and not one[1]:  # what is named without more is named as a whole
                lost.append((how, with_it))

    assert lost == []


@pytest.mark.parametrize("target", SPOKEN)
def test_a_stream_names_what_the_whole_answer_names(target):
    for completion, _ in pairs_of_answers():
        (_, whole), (_, streamed) = answered(target, completion)

        assert set(whole) == set(streamed)
