"""What a caller asks in Gemini's words, in the vocabulary. Checks what it needs and no more: the vendor checks the rest.

Google takes fields in two spellings, `topP` and `top_p`, and one object where a list of them is meant; so does this.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from flyball.llm import messages as m
from flyball.llm.dialect import Asked, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import field, usual

from .answers import NAME, NULL
from .contents import Raws, Turns, spelled
from .schemas import to_json_schema

_CONFIG, _CALLING = "generationConfig", "toolConfig.functionCallingConfig"
# Fields that this dialect defines and no other can say, and what becomes of them where another is spoken.
LEAVING: Mapping[str, Literal["refuse", "drop"]] = {
    **dict.fromkeys(("cachedContent", "continuationToken"), "refuse"),
    **dict.fromkeys(("safetySettings", "labels", "modelArmorConfig", _CALLING), "drop"),
    **dict.fromkeys((f"{_CONFIG}.{name}" for name in ("speechConfig", "imageConfig", "responseMimeType")), "refuse"),
    **dict.fromkeys((f"{_CONFIG}.{name}" for name in ("mediaResolution", "audioTimestamp", "routingConfig")), "drop"),
    **dict.fromkeys((f"toolConfig.{name}" for name in ("retrievalConfig", "includeServerSideToolInvocations")), "drop"),
}
_READ = frozenset((
    *("contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier", "store", "model"),
    *("cachedContent", "continuationToken", "safetySettings", "labels", "modelArmorConfig"),
))  # fmt: skip
# Fields of the configuration that the vocabulary has, and their types. Numbers may be strings, as in all of Google's JSON.
_WHOLE, _NUMBER = msgspec.json.Decoder(int | None, strict=False), msgspec.json.Decoder(int | float | None)
_FLAG, _STRINGS = msgspec.json.Decoder(bool | None), msgspec.json.Decoder(tuple[str, ...] | None)
_SAMPLING = {
    "max_tokens": ("maxOutputTokens", _WHOLE),
    "temperature": ("temperature", _NUMBER),
    "top_p": ("topP", _NUMBER),
    "top_k": ("topK", _WHOLE),
    "seed": ("seed", _WHOLE),
    "frequency_penalty": ("frequencyPenalty", _NUMBER),
    "presence_penalty": ("presencePenalty", _NUMBER),
    "candidates": ("candidateCount", _WHOLE),
    "logprobs": ("responseLogprobs", _FLAG),
    "top_logprobs": ("logprobs", _WHOLE),
}
NAMES: Mapping[str, str] = {
    **{name: f"{_CONFIG}.{theirs}" for name, (theirs, _) in _SAMPLING.items()},
    "stop": f"{_CONFIG}.stopSequences",
    "modalities": f"{_CONFIG}.responseModalities",
    "response_format": f"{_CONFIG}.responseMimeType",
    "reasoning": f"{_CONFIG}.thinkingConfig",
    "tool_choice": _CALLING,
    "service_tier": "serviceTier",
    "reasoning.show": f"{_CONFIG}.thinkingConfig.includeThoughts",
    "content": "parts",
    "arguments": "functionCall.args",
    "thought": "thought",
    "signature": "thoughtSignature",
    "name": "displayName",
    "is_error": "functionResponse.response",
    "result.words": "functionResponse.response",
    "result.media": "functionResponse.parts",
}
SAMPLING: Mapping[str, str] = {name: theirs for name, (theirs, _) in _SAMPLING.items()}
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {
    "AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none",
}  # fmt: skip
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | dict[str, msgspec.Raw] | None)
_TEXT, _RAW = msgspec.json.Decoder(str | None), msgspec.json.Decoder(msgspec.Raw)


def fields_of(asked: Asked) -> dict[str, msgspec.Raw]:
    """The request's fields in one spelling; a question for the number of tokens may hold a whole request."""
    fields = {spelled(name, _READ): value for name, value in without_ours(asked.fields).items()}
    for name in ("generateContentRequest", "generate_content_request"):
        inner = fields.pop(name, None)
        if inner is not None:
            found = field({name: inner}, name, dict[str, msgspec.Raw])
            fields |= {spelled(one, _READ): value for one, value in found.items()}
    for name, raw in fields.items():
        try:
            bytes(raw).decode()
        except UnicodeDecodeError:
            raise InvalidBodyError(f"the field {name!r} is not UTF-8", param=name, next_step="send UTF-8") from None
    return fields


def parse(asked: Asked) -> m.Request:
    """A request. Raises InvalidBodyError, naming the field."""
    fields = Raws(fields_of(asked), "")
    leftovers: list[str] = []
    fields.take("model", _RAW)
    tools = _tools(fields, leftovers)
    native: dict[str, Any] = {}
    choice = _choice(fields, [tool for tool, _ in tools], native)
    turns = Turns(leftovers).all(fields)
    config = Raws(fields.take(_CONFIG, _OBJECT) or {}, _CONFIG)
    sampling = {name: config.take(theirs, decoder) for name, (theirs, decoder) in _SAMPLING.items()}
    form = _form(config)
    thoughts = _reasoning(config)
    stop = config.take("stopSequences", _STRINGS) or ()
    modalities = config.take("responseModalities", _STRINGS) or ()
    native |= {config.at(name): value for name, value in config.rest().items()}
    tier = fields.take("serviceTier", _TEXT) or ""
    store = fields.take("store", _FLAG)
    rest = fields.rest()
    native |= {name: rest.pop(name) for name in list(rest) if name in LEAVING}
    return m.Request(
        dialect=NAME,
        model=asked.model,
        messages=tuple([turn.message for turn in turns]),
        paths=tuple([turn.path for turn in turns]),
        places=tuple([turn.places for turn in turns]),
        tools=tuple([tool for tool, _ in tools]),
        tool_paths=tuple([path for _, path in tools]),
        tool_choice=choice,
        response_format=form,
        reasoning=thoughts,
        stop=stop,
        modalities=tuple(one.lower() for one in modalities),
        service_tier=tier.lower(),
        store=store,
        stream=asked.stream,
        native=native,
        extra=rest,
        leftovers=tuple(leftovers),
        **sampling,
    )


def _form(config: Raws) -> m.ResponseFormat | None:
    """The form of the answer. An enumeration as bare words is Google's alone."""
    kind = config.take("responseMimeType", _TEXT)
    schema = config.take("responseJsonSchema", _RAW) or config.take("_responseJsonSchema", _RAW)
    googles = config.take("responseSchema", _RAW)
    if kind not in (None, "", "application/json", "text/plain"):
        config.put("responseMimeType", msgspec.Raw(msgspec.json.encode(kind)))
        if googles is not None:
            config.put("responseSchema", googles)
        return None
    found = schema or googles
    if found is None or found == NULL:
        return m.ResponseFormat(kind="json") if kind == "application/json" else None
    name = config.at("responseSchema" if schema is None else "responseJsonSchema")
    if not bytes(found).startswith(b"{"):
        raise InvalidBodyError(f"{name} is no object", param=name, next_step="send a schema")
    return m.ResponseFormat(kind="schema", schema=found if schema is not None else to_json_schema(found, name))


def _reasoning(config: Raws) -> m.Reasoning | None:
    if (said := config.take("thinkingConfig", _OBJECT)) is None:
        return None
    inner = Raws(said, config.at("thinkingConfig"))
    shown, budget = inner.take("includeThoughts", _FLAG), inner.take("thinkingBudget", _WHOLE)
    level = (inner.take("thinkingLevel", _TEXT) or "").lower()
    return m.Reasoning(
        effort="" if level == "thinking_level_unspecified" else level,
        budget=budget,
        show="" if shown is None else "auto" if shown else "none",
    )


def _tools(fields: Raws, leftovers: list[str]) -> list[tuple[m.Tool | m.NativeTool, str]]:
    """The tools, and where each stands."""
    tools: list[tuple[m.Tool | m.NativeTool, str]] = []
    names: set[str] = set()
    found = fields.take("tools", _OBJECTS) or []
    for number, said in enumerate(found if isinstance(found, list) else [found]):
        tool = Raws(said, f"tools[{number}]")
        functions = usual(said.get("functionDeclarations"), _FUNCTIONS)
        declared = tool.take("functionDeclarations", _OBJECTS) or []
        for at, one in enumerate(functions or (declared if isinstance(declared, list) else [declared])):
            path = f"{tool.path}.functionDeclarations[{at}]"
            made = _made(one, path, {}) if isinstance(one, _Function) else _function(Raws(one, path), leftovers)
            if made.name in names:
                raise InvalidBodyError(f"{path}.name is {made.name!r}, as another function's is", param=f"{path}.name")
            names.add(made.name)
            tools.append((made, path))
        for kind, raw in tool.rest().items():
            tools.append((m.NativeTool(dialect=NAME, kind=kind, raw={kind: raw}), tool.at(kind)))
    return tools


_ABSENT = msgspec.Raw()


class _Function(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A function, its schema still bytes. With these fields alone almost all are sent."""

    name: str
    description: str = ""
    parameters_json_schema: msgspec.Raw = _ABSENT
    parameters: msgspec.Raw = _ABSENT


_FUNCTIONS = msgspec.json.Decoder(list[_Function])


def _function(said: Raws, leftovers: list[str]) -> m.Tool:
    name, description = said.take("name", _TEXT) or "", said.take("description", _TEXT) or ""
    schema, googles = said.take("parametersJsonSchema", _RAW) or _ABSENT, said.take("parameters", _RAW) or _ABSENT
    return _made(_Function(name, description, schema, googles), said.path, said.left(leftovers))


def _made(said: _Function, path: str, extra: dict[str, Any]) -> m.Tool:
    if not said.name:
        raise InvalidBodyError(f"{path}.name is missing", param=f"{path}.name", next_step="name the function")
    is_googles = said.parameters_json_schema is _ABSENT
    parameters = said.parameters if is_googles else said.parameters_json_schema
    place = f"{path}.{'parameters' if is_googles else 'parametersJsonSchema'}"
    if parameters in (_ABSENT, NULL):
        return m.Tool(name=said.name, description=said.description, extra=extra)
    if not bytes(parameters).startswith(b"{"):
        raise InvalidBodyError(f"{place} is no object", param=place, next_step="send a schema")
    parameters = to_json_schema(parameters, place) if is_googles else parameters
    return m.Tool(name=said.name, description=said.description, parameters=parameters, extra=extra)


def _choice(fields: Raws, tools: Iterable[m.Tool | m.NativeTool], native: dict[str, Any]) -> m.ToolChoice | None:
    config = Raws(fields.take("toolConfig", _OBJECT) or {}, "toolConfig")
    raw = config.take("functionCallingConfig", _OBJECT)
    native |= {config.at(name): value for name, value in config.rest().items()}
    if raw is None:
        return None
    kept, said = dict(raw), Raws(raw, _CALLING)
    word, allowed = (said.take("mode", _TEXT) or "").upper(), said.take("allowedFunctionNames", _STRINGS) or ()
    if said.rest() or word == "VALIDATED":
        native[_CALLING] = kept
    known = {tool.name for tool in tools if isinstance(tool, m.Tool)}
    for name in allowed:
        if name not in known:
            path = said.at("allowedFunctionNames")
            raise InvalidBodyError(f"{path} has {name!r}, which no function is called", param=path)
    if word in ("", "MODE_UNSPECIFIED"):
        return m.ToolChoice(mode="auto", tools=allowed) if allowed else None
    if word not in _MODES:
        message = f"{said.at('mode')} is {word!r}; expected AUTO, ANY, NONE or VALIDATED"
        raise InvalidBodyError(message, param=said.at("mode"))
    return m.ToolChoice(mode=_MODES[word], tools=allowed)
