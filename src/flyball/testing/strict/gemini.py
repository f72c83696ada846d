"""What Gemini refuses: fields that its messages do not have, turns of functions that do not match, thoughts that it did not sign."""

import re
from collections.abc import Iterator
from typing import Any

from flyball.testing.dialect import Ask, Failure, Issued

from .looking import Body, held, listed

# The messages' fields. A value is the message that a field holds; "" is anything.
_MESSAGES: dict[str, dict[str, str]] = {
    "request": {
        "contents": "content", "systemInstruction": "content", "tools": "tool", "toolConfig": "toolConfig",
        "safetySettings": "safety", "generationConfig": "generation", "cachedContent": "", "labels": "", "model": "",
        "serviceTier": "", "store": "", "modelArmorConfig": "",
    },
    "counting": {
        "contents": "content", "generateContentRequest": "request", "systemInstruction": "content", "tools": "tool",
        "generationConfig": "generation", "model": "",
    },
    "content": {"parts": "part", "role": ""},
    "part": {
        "text": "", "thought": "", "thoughtSignature": "", "inlineData": "blob", "fileData": "file",
        "functionCall": "call", "functionResponse": "response", "executableCode": "", "codeExecutionResult": "",
        "videoMetadata": "", "mediaResolution": "", "partMetadata": "", "toolCall": "", "toolResponse": "",
    },
    "blob": {"mimeType": "", "data": "", "displayName": ""},
    "file": {"mimeType": "", "fileUri": "", "displayName": ""},
    "call": {"id": "", "name": "", "args": "", "partialArgs": "", "willContinue": ""},
    "response": {"id": "", "name": "", "response": "", "parts": "", "willContinue": "", "scheduling": ""},
    "tool": {
        "functionDeclarations": "declaration", "googleSearch": "", "googleSearchRetrieval": "", "codeExecution": "",
        "urlContext": "", "computerUse": "", "googleMaps": "", "fileSearch": "", "retrieval": "",
        "enterpriseWebSearch": "", "mcpServers": "",
    },
    "declaration": {
        "name": "", "description": "", "behavior": "", "parameters": "schema", "parametersJsonSchema": "",
        "response": "schema", "responseJsonSchema": "",
    },
    "schema": {
        "type": "", "format": "", "title": "", "description": "", "nullable": "", "enum": "", "maxItems": "",
        "minItems": "", "properties": "schemas", "required": "", "minProperties": "", "maxProperties": "",
        "minLength": "", "maxLength": "", "pattern": "", "example": "", "anyOf": "schema", "propertyOrdering": "",
        "default": "", "items": "schema", "minimum": "", "maximum": "",
    },
    "toolConfig": {"functionCallingConfig": "calling", "retrievalConfig": "", "includeServerSideToolInvocations": ""},
    "calling": {"mode": "", "allowedFunctionNames": "", "streamFunctionCallArguments": ""},
    "safety": {"category": "", "threshold": "", "method": ""},
    "generation": {
        "stopSequences": "", "responseMimeType": "", "responseSchema": "schema", "responseJsonSchema": "",
        "responseModalities": "", "candidateCount": "", "maxOutputTokens": "", "temperature": "", "topP": "",
        "topK": "", "seed": "", "presencePenalty": "", "frequencyPenalty": "", "responseLogprobs": "", "logprobs": "",
        "enableEnhancedCivicAnswers": "", "speechConfig": "", "thinkingConfig": "thinking", "imageConfig": "",
        "mediaResolution": "", "audioTimestamp": "", "routingConfig": "", "modelSelectionConfig": "",
        "responseFormat": "",
    },
    "thinking": {"includeThoughts": "", "thinkingBudget": "", "thinkingLevel": ""},
}  # fmt: skip
_DATA = {
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse",
}  # fmt: skip
_SPARED = ("context_engineering_is_the_way_to_go", "skip_thought_signature_validator")  # published: not looked at
_UNKNOWN = 'Invalid JSON payload received. Unknown name "{}"{}: Cannot find field.'
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
_SNAKE = re.compile(r"_([a-z])")


def refusal(body: Body, ask: Ask, headers: dict[str, str], issued: Issued) -> Failure | None:  # noqa: ARG001 -- all rules are of the body
    """The first thing that is wrong with a request. Names may be in camelCase or in snake_case, as Google takes both."""
    kind = "request" if ask.verb == "generate" else "counting"
    message = next(_unknown(body, kind, ""), None)
    if message is None:
        body = _camel(body, kind)
        asked = held(body, "generateContentRequest") or body
        message = next(_complaints(asked, ask.model, issued), None)
    return Failure(400, message) if message else None


def _unknown(value: Any, kind: str, where: str) -> Iterator[str]:
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _unknown(item, kind, f"{where}[{at}]")
    elif isinstance(value, dict) and kind == "schemas":
        for name, item in value.items():
            yield from _unknown(item, "schema", f"{where}[{name}]")
    elif isinstance(value, dict) and kind:
        for name, item in value.items():
            below = _MESSAGES[kind].get(_SNAKE.sub(_raised, name))
            if below is None:
                yield _UNKNOWN.format(name, f" at '{where}'" if where else "")
            else:
                yield from _unknown(item, below, f"{where}.{name}" if where else name)


def _raised(found: re.Match[str]) -> str:
    return found[1].upper()


def _camel(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_camel(item, kind) for item in value]
    if not isinstance(value, dict) or kind in ("", "schemas"):
        return value
    named = {_SNAKE.sub(_raised, name): item for name, item in value.items()}
    return {name: _camel(item, _MESSAGES[kind].get(name, "")) for name, item in named.items()}


def _complaints(body: Body, model: str, issued: Issued) -> Iterator[str]:
    contents = listed(body, "contents")
    if not contents:
        yield "* GenerateContentRequest.contents: contents is not specified\n"
    for at, content in enumerate(contents):
        yield from _content(at, content)
    turns = _turns(contents)
    yield from _functions(turns)
    yield from _signatures(turns, model, issued)
    for at, tool in enumerate(listed(body, "tools")):
        yield from _declared(f"GenerateContentRequest.tools[{at}]", tool)


def _turns(contents: list[Body]) -> list[Body]:
    """What the model said in a row is one turn: the official client's chats give a stream back chunk by chunk."""
    found: list[Body] = []
    for content in contents:
        if found and content.get("role") == found[-1].get("role") == "model":
            found[-1] = {**content, "parts": [*listed(found[-1], "parts"), *listed(content, "parts")]}
        else:
            found.append(content)
    return found


def _content(at: int, content: Body) -> Iterator[str]:
    where = f"GenerateContentRequest.contents[{at}].parts"
    if content.get("role", "user") not in ("user", "model", "function"):
        yield "Please use a valid role: user, model."
    if not content.get("parts"):
        yield f"* {where}: contents.parts must not be empty.\n"
    for index, part in enumerate(listed(content, "parts")):
        if len(_DATA.intersection(part)) != 1:
            yield f"* {where}[{index}].data: required oneof field 'data' must have one initialized field\n"
        if part.get("text") == "" and content.get("role") != "model":
            yield (
                "Unable to submit request because it has an empty text parameter. "
                "Add a value to the parameter and try again."
            )
        if "functionResponse" in part and not isinstance(held(part, "functionResponse").get("response"), dict):
            yield f"* {where}[{index}].function_response.response: must be an object\n"


def _functions(contents: list[Body]) -> Iterator[str]:
    before: list[Any] = []
    for at, content in enumerate(contents):
        calls = [held(part, "functionCall").get("name") for part in listed(content, "parts") if "functionCall" in part]
        answers = [
            held(part, "functionResponse").get("name")
            for part in listed(content, "parts")
            if "functionResponse" in part
        ]
        if before and len(answers) != len(before):
            yield (
                "Please ensure that the number of function response parts is equal to the number of function call parts "
                "of the function call turn."
            )
        if answers and not before:
            yield "Please ensure that function response turn comes immediately after a function call turn."
        if sorted(map(str, answers)) != sorted(map(str, before)):
            yield "Please ensure that function responses have the names of the function calls that they answer."
        if calls and at == 0:
            yield (
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
            )
        before = calls
    if before:
        yield (
            "Please ensure that the number of function response parts is equal to the number of function call parts "
            "of the function call turn."
        )


def _signatures(contents: list[Body], model: str, issued: Issued) -> Iterator[str]:
    asked = [at for at, content in enumerate(contents) if content.get("role") != "model" and _is_question(content)]
    for at, content in enumerate(contents):
        parts = listed(content, "parts")
        for part in parts:
            signature = str(part.get("thoughtSignature") or "").translate(_URL_SAFE)
            if signature and signature not in {text.translate(_URL_SAFE) for text in (*issued.signatures, *_SPARED)}:
                yield "Corrupted thought signature."
        calls = [(index, part) for index, part in enumerate(parts) if "functionCall" in part]
        current = not asked or at > asked[-1]
        if calls and current and model.startswith("gemini-3") and not calls[0][1].get("thoughtSignature"):
            name = held(calls[0][1], "functionCall").get("name")
            yield (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
                "correctly, and missing thought_signature may lead to degraded model performance. "
                f"Additional data, function call `default_api:{name}` , position {at + 1}."
            )


_URL_SAFE = str.maketrans("-_", "+/", "=")


def _is_question(content: Body) -> bool:
    return any("functionResponse" not in part for part in listed(content, "parts"))


def _declared(where: str, tool: Body) -> Iterator[str]:
    for at, declared in enumerate(listed(tool, "functionDeclarations")):
        name = f"{where}.function_declarations[{at}]"
        if not _NAME.fullmatch(str(declared.get("name", ""))):
            yield f"* {name}.name: Invalid function name. Must start with a letter or an underscore.\n"
        if declared.get("parameters") is not None and declared.get("parametersJsonSchema") is not None:
            yield f"* {name}: only one of parameters and parameters_json_schema may be set.\n"
