"""What went into a span and what came out, as text, wherever its producer put it.

Five places: attributes with messages, attributes numbered one by one, events of the span, log records beside it, and
references to a place elsewhere (`references.py` fetches those; here they are simply not there). Knows the fields that
`tables.py` names; knows no attribute.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from flyball.traces.told import ToldEvent, ToldLog

from .messages import joined, read_messages, text_of
from .parts import Message
from .texts import parsed, unquoted, written

Found: TypeAlias = Mapping[str, Any]  # the value of each field that was told
Gathered: TypeAlias = Mapping[str, Mapping[str, Any]]

DETAILS = "gen_ai.client.inference.operation.details"  # the event whose attributes are those that a span would have
_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE = "gen_ai.choice"
_BESIDE = frozenset({*_ROLES, _CHOICE, "gen_ai.content.prompt", "gen_ai.content.completion"})
_NUMBERS = 10_000  # messages that are numbered one by one
_DEEPEST = 20  # steps of such a name
_WRAPPERS = ("message", "tool_call", "message_content", "document", "prompt", "completion", "embedding")


class Content(NamedTuple):
    """Both texts, and why the answer ended where an event tells that."""

    input: str
    output: str
    finish_reason: str


def content_of(found: Found, gathered: Gathered, events: Sequence[ToldEvent], logs: Sequence[ToldLog]) -> Content:
    """The texts of a span."""
    asked = _told(found, _INPUT, "user")
    answered = _told(found, _OUTPUT, "assistant")
    if asked is None and (numbered := gathered.get("input.indexed")):
        asked = _numbered(numbered, "user")
    finish = ""
    # LiteLLM tells of tools that were called one by one alone, beside a message without any content.
    if answered in (None, _NOTHING_SAID) and (numbered := gathered.get("output.indexed")):
        answered = _numbered(numbered, "assistant") or answered
        finish = _reason({"finish_reason": numbered.get("0.finish_reason")})
    if (asked is None or answered is None) and (events or logs or "events" in found):
        heard, spoken, reason = _overheard(found, events, logs)
        asked, answered, finish = asked or heard, answered or spoken, finish or reason
    if not finish and answered and "finish_reason" not in found:
        finish = _ending(found)
    return Content(_input(found, gathered, asked), _output(found, gathered, answered), finish)


_NOTHING_SAID = [{"role": "assistant", "content": ""}]


class _Side(NamedTuple):
    messages: str
    json: str
    calls: str


_INPUT = _Side("input.messages", "input.json", "")
_OUTPUT = _Side("output.messages", "output.json", "output.calls")


def is_plain(value: Any) -> bool:
    """Whether a value is a text and nothing else: no JSON that may hold a conversation."""
    return type(value) is str and (value[:1] not in _MAY_BE_JSON or value.lstrip(" \n\t\r")[:1] not in _MAY_BE_JSON)


_MAY_BE_JSON = frozenset("[{ \n\t")


def _told(found: Found, side: _Side, role: str) -> list[Message] | str | None:
    """The messages of one attribute; its text where they are none."""
    value = found.get(side.messages)
    if value is None:
        value = _unwrapped(found.get(side.json))
    if side.calls in found and (calls := _unwrapped(found[side.calls])):
        return read_messages({"role": role, "content": written(value or ""), "tool_calls": calls}, role)
    if value is None:
        return None
    read = read_messages(value, role)
    return read if read is not None else written(value)


def _unwrapped(value: Any) -> Any:
    """A value that was written as JSON: a text without its quotes, a conversation as such, anything else as it came."""
    if isinstance(value, list):
        return [_unwrapped(each) for each in value]
    if not isinstance(value, str):
        return value
    said = unquoted(value)
    return value if isinstance(said, dict) else said


def _input(found: Found, gathered: Gathered, asked: list[Message] | str | None) -> str:
    if isinstance(asked, str):
        return asked
    system = found.get("input.system")
    if system is not None:
        said = read_messages({"role": "system", "content": _parts(system)}, "system")
        asked = joined([said, asked])
    if asked:
        return written(asked)
    return _text(found, gathered, "input")


def _output(found: Found, gathered: Gathered, answered: list[Message] | str | None) -> str:
    if isinstance(answered, str):
        return answered
    return text_of(answered) if answered else _text(found, gathered, "output")


def _text(found: Found, gathered: Gathered, side: str) -> str:
    value = found.get(f"{side}.text")
    if value is None and (numbered := gathered.get(f"{side}.documents")):
        value = nested(numbered)
    return "" if value is None else written(value)


def _parts(system: Any) -> Any:
    """Instructions are parts, or their JSON, or words."""
    return system if isinstance(system, (str, list)) else [system]


# -- why it ended, where only the provider's answer tells it


def _ending(found: Found) -> str:
    value = found.get(_OUTPUT.messages, found.get(_OUTPUT.json))
    if isinstance(value, str):
        value = parsed(value) if "_reason" in value else ""
    for _ in range(_DEEPEST):
        if isinstance(value, list):
            value = value[0] if value else ""
        elif isinstance(value, dict):
            if said := next((value[name] for name in _REASONS if isinstance(value.get(name), str)), ""):
                return str(said)
            value = next((value[name] for name in _AROUND_REASONS if name in value), "")
    return ""


_REASONS = ("finish_reason", "stop_reason")
_AROUND_REASONS = ("choices", "generations", "generation_info")

# -- numbered one by one: `0.role`, `0.tool_calls.1.name`


def _numbered(values: Mapping[str, Any], role: str) -> list[Message] | None:
    messages = nested(values)
    if not isinstance(messages, list):
        return None
    # A message without a role is told by its side.
    said = [each if "role" in each else {"role": role, **each} for each in messages if isinstance(each, dict)]
    return read_messages(said, role)


def nested(values: Mapping[str, Any]) -> Any:
    """`{"0.role": "user", "0.calls.0.id": 1}` as `[{"role": "user", "calls": [{"id": 1}]}]`; names that number nothing are left out."""
    whole: dict[str, Any] = {}
    for name, value in values.items():
        if not name[:1].isdecimal() or name.count(".") > _DEEPEST:
            continue
        *path, last = name.split(".")
        at = whole
        for step in path:
            inside = at.setdefault(step, {})
            if not isinstance(inside, dict):
                break
            at = inside
        else:
            at[last] = value
    return _lists(whole)


def _lists(value: Any) -> Any:
    """Tables whose every name is a number as lists, and what stands around each of their things taken off."""
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() and len(name) < _DIGITS for name in value):
        return [_bare(_lists(value[name])) for name in sorted(value, key=int)]
    return {name: _lists(each) for name, each in value.items()}


_DIGITS = len(str(_NUMBERS))


def _bare(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        ((name, inside),) = value.items()
        if name in _WRAPPERS:
            return inside
    return value


# -- events of the span, log records beside it, and events that one attribute holds


def _overheard(
    found: Found, events: Sequence[ToldEvent], logs: Sequence[ToldLog]
) -> tuple[list[Message], list[Message], str]:
    heard: list[Message] = []
    spoken: list[Message] = []
    finish = ""
    told: list[tuple[str, Mapping[str, Any]]] = [(one.name, one.attributes) for one in events if one.name in _BESIDE]
    told += [(name, _body(log)) for log in logs if (name := event_of(log)) in _BESIDE]
    told += _held(found.get("events"))
    for name, said in told:
        if name == _CHOICE:
            finish = finish or _reason(said)
            message = said.get("message", said)
            spoken += read_messages(_as_message(message, "assistant"), "assistant") or []
        elif name == "gen_ai.content.prompt":
            heard += read_messages(said.get("gen_ai.prompt"), "user") or []
        elif name == "gen_ai.content.completion":
            spoken += read_messages(said.get("gen_ai.completion"), "assistant") or []
        else:
            heard += read_messages(_as_message(said, _ROLES[name]), _ROLES[name]) or []
    return heard, spoken, finish


def _as_message(said: Any, role: str) -> Any:
    """An event's message: a role of its own, else the event's; its content in `content`, or as JSON in an attribute."""
    if not isinstance(said, Mapping):
        return {"role": role, "content": said}
    inside = said.get("gen_ai.event.content")
    if inside is not None:
        read = read_messages(inside, role)
        return read[0] if read else {"role": role, "content": inside}
    return {"role": role, **said}


def _reason(said: Mapping[str, Any]) -> str:
    reason = said.get("finish_reason")
    return reason if isinstance(reason, str) else ""


def event_of(log: ToldLog) -> str:
    """The event that a record is: its name, or an attribute from before records had one."""
    name = log.event_name or log.attributes.get("event.name", "")
    return name if isinstance(name, str) else ""


def _body(log: ToldLog) -> Mapping[str, Any]:
    return log.body if isinstance(log.body, dict) else {"content": log.body}


def _held(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Logfire's attribute `events`: a list of bodies, each with its `event.name`."""
    if value is None:
        return []
    from_text = parsed(value) if isinstance(value, str) else value
    bodies = from_text if isinstance(from_text, list) else []
    return [
        (body["event.name"], body) for body in bodies if isinstance(body, dict) and body.get("event.name") in _BESIDE
    ]
