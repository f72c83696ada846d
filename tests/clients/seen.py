"""What a provider was asked, told in the same plain words whichever of the five dialects it was asked in.

Reads the bytes that the scripted upstream received, by the vendors' published grammar. Shares nothing with the gateway's own
parsers: it is what those are held against. Parts are tuples whose first word says what they are.
"""

import json
from dataclasses import dataclass, field

CHAT, RESPONSES, ANTHROPIC, GEMINI, BEDROCK = "chat", "responses", "anthropic", "gemini", "bedrock"


@dataclass
class Seen:
    """One request. `flow` holds (role, part...) in order: see the functions below for the parts."""

    target: str
    path: str
    headers: dict
    body: dict
    stream: bool = False
    system: list = field(default_factory=list)
    flow: list = field(default_factory=list)
    tools: dict = field(default_factory=dict)
    choice: object = None
    schema: object = None
    max_tokens: int | None = None
    stop: list = field(default_factory=list)

    def parts(self, *kinds):
        """The parts of these kinds, without their roles."""
        return [tuple(part) for _, *part in self.flow if part[0] in kinds]

    @property
    def words(self):
        """(role, text) of every text."""
        return [(role, part[1]) for role, *part in self.flow if part[0] == "text"]

    @property
    def signatures(self):
        """Every signature of a thought, in order."""
        return [part[-1] for _, *part in self.flow if part[0] in ("thought", "redacted") and part[-1]]

    def place(self, kind):
        """Where the first part of a kind stands."""
        return next(at for at, (_, *part) in enumerate(self.flow) if part[0] == kind)


def seen(target, received):
    """A request as it arrived, told."""
    body = json.loads(received.body)
    found = Seen(target, received.path, received.headers, body)
    _TELLERS[target](found, body)
    return found


def _text(role, text):
    return (role, "text", text)


def _arguments(text):
    return json.loads(text) if text else None


# -- OpenAI Chat Completions


def _tell_chat(found, body):
    found.stream = body.get("stream", False)
    for message in body["messages"]:
        role = message["role"]
        if role in ("system", "developer"):
            found.system += [part[-1] for part in _chat_content(role, message["content"])]
        elif role == "tool":
            texts = [part[-1] for part in _chat_content(role, message["content"])]
            found.flow.append(("tool", "result", message["tool_call_id"], "".join(texts)))
        else:
            found.flow += _chat_thoughts(message)
            found.flow += _chat_content(role, message.get("content"))
            for call in message.get("tool_calls") or ():
                called = call["function"]
                found.flow.append((role, "call", call["id"], called["name"], _arguments(called["arguments"])))
    for tool in body.get("tools") or ():
        found.tools[tool["function"]["name"]] = tool["function"].get("parameters")
    found.choice = body.get("tool_choice")
    form = body.get("response_format") or {}
    found.schema = form.get("json_schema", {}).get("schema")
    found.max_tokens = body.get("max_completion_tokens", body.get("max_tokens"))
    stop = body.get("stop") or []
    found.stop = [stop] if isinstance(stop, str) else stop


def _chat_thoughts(message):
    details = message.get("reasoning_details") or ()
    if not details and message.get("reasoning_content"):
        yield ("assistant", "thought", message["reasoning_content"], "")
    for detail in details:
        if detail["type"] == "reasoning.encrypted":
            yield ("assistant", "redacted", detail["data"])
        else:
            words = detail.get("text") or detail.get("summary") or ""
            yield ("assistant", "thought", words, detail.get("signature") or "")


def _chat_content(role, content):
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    for part in content or ():
        if part["type"] == "text":
            yield _text(role, part["text"])
        elif part["type"] == "image_url":
            yield (role, "image", *_url_or_data(part["image_url"]["url"]))
        elif part["type"] == "file":
            yield (role, "document", *_url_or_data(part["file"]["file_data"]))
        elif part["type"] == "input_audio":
            yield (role, "audio", f"audio/{part['input_audio']['format']}", part["input_audio"]["data"])
        else:
            yield (role, part["type"])


def _url_or_data(url):
    """(media type, base64) of a data URL, else ("", url)."""
    if not url.startswith("data:"):
        return "", url
    head, data = url.removeprefix("data:").split(";base64,")
    return head, data


# -- OpenAI Responses


def _tell_responses(found, body):
    found.stream = body.get("stream", False)
    if body.get("instructions"):
        found.system.append(body["instructions"])
    asked = body["input"]
    for item in [{"role": "user", "content": asked}] if isinstance(asked, str) else asked:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] in ("system", "developer"):
            found.system += [part[-1] for part in _responses_content(item["role"], item["content"])]
        elif kind == "message":
            found.flow += _responses_content(item["role"], item["content"])
        elif kind == "function_call":
            found.flow.append(("assistant", "call", item["call_id"], item["name"], _arguments(item["arguments"])))
        elif kind == "function_call_output":
            texts = [part[-1] for part in _responses_content("tool", item["output"])]
            found.flow.append(("tool", "result", item["call_id"], "".join(texts)))
        elif kind == "reasoning":
            words = "".join(piece["text"] for piece in item.get("summary") or ())
            found.flow.append(("assistant", "thought", words, item.get("encrypted_content") or ""))
        else:
            found.flow.append(("", kind))
    for tool in body.get("tools") or ():
        found.tools[tool["name"]] = tool.get("parameters")
    found.choice = body.get("tool_choice")
    found.schema = body.get("text", {}).get("format", {}).get("schema")
    found.max_tokens = body.get("max_output_tokens")


def _responses_content(role, content):
    if isinstance(content, str):
        content = [{"type": "input_text", "text": content}]
    for part in content:
        if part["type"] in ("input_text", "output_text", "text"):
            yield _text(role, part["text"])
        elif part["type"] == "input_image":
            yield (role, "image", *_url_or_data(part["image_url"]))
        elif part["type"] == "input_file":
            yield (role, "document", *_url_or_data(part.get("file_data") or part["file_url"]))
        else:
            yield (role, part["type"])


# -- Anthropic Messages


def _tell_anthropic(found, body):
    found.stream = body.get("stream", False)
    system = body.get("system") or []
    found.system = [system] if isinstance(system, str) else [part["text"] for part in system]
    for message in body["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            found.flow.append(_anthropic_part(message["role"], part))
    for tool in body.get("tools") or ():
        found.tools[tool["name"]] = tool.get("input_schema")
    found.choice = body.get("tool_choice")
    found.schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    found.max_tokens = body["max_tokens"]
    found.stop = body.get("stop_sequences") or []


def _anthropic_part(role, part):  # noqa: PLR0911 -- one for each kind
    match part["type"]:
        case "text":
            return _text(role, part["text"])
        case "image" | "document" as kind:
            source = part["source"]
            if source["type"] == "url":
                return (role, kind, "", source["url"])
            return (role, kind, source["media_type"], source["data"])
        case "thinking":
            return (role, "thought", part["thinking"], part["signature"])
        case "redacted_thinking":
            return (role, "redacted", part["data"])
        case "tool_use":
            return (role, "call", part["id"], part["name"], part["input"])
        case "tool_result":
            content = part.get("content") or ""
            text = content if isinstance(content, str) else "".join(piece["text"] for piece in content)
            return ("tool", "result", part["tool_use_id"], text)
    return (role, part["type"])


# -- Gemini


def _tell_gemini(found, body):
    found.stream = ":streamGenerateContent" in found.path
    found.system = [part["text"] for part in (body.get("systemInstruction") or {}).get("parts", ())]
    for content in body["contents"]:
        role = {"model": "assistant"}.get(content.get("role"), "user")
        for part in content["parts"]:
            found.flow += _gemini_part(role, part)
    for tool in body.get("tools") or ():
        for declared in tool.get("functionDeclarations") or ():
            names = ("parametersJsonSchema", "parameters_json_schema", "parameters")
            found.tools[declared["name"]] = next((declared[name] for name in names if name in declared), None)
    found.choice = (body.get("toolConfig") or {}).get("functionCallingConfig")
    config = body.get("generationConfig") or {}
    found.schema = config.get("responseJsonSchema", config.get("responseSchema"))
    found.max_tokens = config.get("maxOutputTokens")
    found.stop = config.get("stopSequences") or []


def _gemini_part(role, part):
    signature = part.get("thoughtSignature", "")
    if part.get("thought"):
        return [(role, "thought", part["text"], signature)]
    found = [(role, "thought", "", signature)] if signature else []
    if "text" in part:
        return [*found, _text(role, part["text"])] if part["text"] or not found else found
    if "functionCall" in part:
        call = part["functionCall"]
        return [*found, (role, "call", call.get("id", ""), call["name"], call.get("args"))]
    if "functionResponse" in part:
        answer = part["functionResponse"]
        said = answer["response"]
        text = said.get("output", said.get("result", said.get("error", said)))
        return [*found, ("tool", "result", answer.get("id", ""), text if isinstance(text, str) else json.dumps(text))]
    blob = part.get("inlineData") or part.get("fileData")
    # Google's own clients write some names with a line below and base64 for addresses: Google takes both.
    media_type = blob.get("mimeType") or blob.get("mime_type") or ""
    kind = media_type.partition("/")[0] if media_type.startswith(("image/", "audio/")) else "document"
    if address := blob.get("fileUri") or blob.get("file_uri"):
        return [*found, (role, kind, "", address)]
    return [*found, (role, kind, media_type, blob["data"].replace("-", "+").replace("_", "/"))]


# -- Bedrock Converse


def _tell_bedrock(found, body):
    found.stream = found.path.endswith("/converse-stream")
    found.system = [part["text"] for part in body.get("system") or () if "text" in part]
    for message in body["messages"]:
        for part in message["content"]:
            found.flow.append(_bedrock_part(message["role"], part))
    config = body.get("toolConfig") or {}
    for tool in config.get("tools") or ():
        if "toolSpec" in tool:
            found.tools[tool["toolSpec"]["name"]] = tool["toolSpec"]["inputSchema"]["json"]
    found.choice = config.get("toolChoice")
    form = ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure", {}).get("jsonSchema", {})
    found.schema = json.loads(form["schema"]) if form else None
    inference = body.get("inferenceConfig") or {}
    found.max_tokens = inference.get("maxTokens")
    found.stop = inference.get("stopSequences") or []


def _bedrock_part(role, part):  # noqa: PLR0911 -- one for each kind
    ((kind, value),) = part.items()
    match kind:
        case "text":
            return _text(role, value)
        case "image" | "audio":
            return (role, kind, f"{kind}/{value['format']}", value["source"]["bytes"])
        case "document":
            return (role, "document", f"application/{value['format']}", value["source"]["bytes"])
        case "toolUse":
            return (role, "call", value["toolUseId"], value["name"], value["input"])
        case "toolResult":
            return ("tool", "result", value["toolUseId"], "".join(piece["text"] for piece in value["content"]))
        case "reasoningContent" if "redactedContent" in value:
            return (role, "redacted", value["redactedContent"])
        case "reasoningContent":
            thought = value["reasoningText"]
            return (role, "thought", thought["text"], thought.get("signature", ""))
    return (role, kind)


_TELLERS = {
    CHAT: _tell_chat,
    RESPONSES: _tell_responses,
    ANTHROPIC: _tell_anthropic,
    GEMINI: _tell_gemini,
    BEDROCK: _tell_bedrock,
}
