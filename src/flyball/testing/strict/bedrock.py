"""What Bedrock's Converse refuses, and what Claude refuses behind it, which Bedrock passes on."""

import re
from collections.abc import Iterator
from itertools import pairwise

from flyball.testing.dialect import Ask, Failure, Issued

from . import claude
from .looking import Body, held, listed, number

_BLOCKS = {
    "text", "image", "document", "video", "audio", "toolUse", "toolResult", "guardContent", "cachePoint",
    "reasoningContent", "citationsContent", "searchResult", "toolAddition", "toolRemoval",
}  # fmt: skip
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CLAUDES = {
    "thinking", "top_k", "anthropic_beta", "anthropic_version", "tool_choice", "metadata", "output_config", "tools",
    "mcp_servers", "context_management", "service_tier",
}  # fmt: skip
_BEHIND = "The model returned the following errors: "


def refusal(body: Body, ask: Ask, headers: dict[str, str], issued: Issued) -> Failure | None:  # noqa: ARG001 -- all rules are of the body
    """The first thing that is wrong with a request."""
    asked = body if ask.verb == "generate" else held(held(body, "input"), "converse")
    message = next(_complaints(asked, "anthropic." in ask.model, issued), None)
    return Failure(400, message) if message else None


def _complaints(body: Body, is_claude: bool, issued: Issued) -> Iterator[str]:  # noqa: FBT001 -- there is no other way to ask
    messages = listed(body, "messages")
    yield from _roles(messages)
    for at, block in enumerate(listed(body, "system")):
        if "text" in block and not str(block["text"]).strip():
            yield f"The text field in the SystemContentBlock object at system.{at} is blank. Add text to the text field, and try again."
    for at, message in enumerate(messages):
        if not listed(message, "content"):
            yield (
                f"The content field in the Message object at messages.{at} is empty. "
                "Add a ContentBlock object to the content field and try again."
            )
        for index, block in enumerate(listed(message, "content")):
            yield from _block(f"messages.{at}.content.{index}", block)
    yield from _tools(body)
    yield from _calls(messages)
    if is_claude:
        yield from (_BEHIND + said for said in _claude(body, issued))


def _roles(messages: list[Body]) -> Iterator[str]:
    roles = [message.get("role") for message in messages]
    if roles and roles[0] != "user":
        yield "A conversation must start with a user message. Try again with a conversation that starts with a user message."
    if any(role not in ("user", "assistant") for role in roles):
        yield "1 validation error detected: Value at 'messages.1.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]"
    if any(one == two for one, two in pairwise(roles)):
        yield (
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )


def _block(where: str, block: Body) -> Iterator[str]:
    if len(_BLOCKS.intersection(block)) != 1 or len(block) != 1:
        yield f"The ContentBlock object at {where} must set one of the following keys: {', '.join(sorted(_BLOCKS))}."
    if "text" in block and not str(block["text"]).strip():
        yield f"The text field in the ContentBlock object at {where} is blank. Add text to the text field, and try again."
    use, result = held(block, "toolUse"), held(block, "toolResult")
    if use and not isinstance(use.get("input"), dict):
        yield f"The format of the value at {where}.toolUse.input is invalid. Provide a json object for the field and try again."
    for named in (use, result):
        if named and not _ID.fullmatch(str(named.get("toolUseId", ""))):
            yield _constraint(f"{where}.toolUseId", str(named.get("toolUseId")), "[a-zA-Z0-9_.:-]+")
    if result.get("status") == "error" and not result.get("content"):
        yield f"The content field at {where}.toolResult cannot be empty when status value is error."
    for index, part in enumerate(listed(result, "content")):
        if "json" in part and not isinstance(part["json"], dict):
            place = f"{where}.toolResult.content.{index}.json"
            yield f"The format of the value at {place} is invalid. Provide a json object for the field and try again."


def _constraint(where: str, value: str, pattern: str) -> str:
    said = f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: "
    return f"{said}Member must satisfy regular expression pattern: {pattern}"


def _tools(body: Body) -> Iterator[str]:
    config = held(body, "toolConfig")
    specs = [held(tool, "toolSpec") for tool in listed(config, "tools")]
    used = any("toolUse" in b or "toolResult" in b for m in listed(body, "messages") for b in listed(m, "content"))
    if used and not config:
        yield "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    if config and not listed(config, "tools"):
        yield "1 validation error detected: Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1"
    for at, spec in enumerate(specs):
        if spec and not _NAME.fullmatch(str(spec.get("name", ""))):
            yield _constraint(
                f"toolConfig.tools.{at + 1}.member.toolSpec.name", str(spec.get("name")), "[a-zA-Z0-9_-]+"
            )
        if spec and held(held(spec, "inputSchema"), "json").get("type") != "object":
            yield f"The value at toolConfig.tools.{at}.toolSpec.inputSchema.json.type must be one of the following: object."
        if spec.get("description") == "":
            yield f"1 validation error detected: Value at 'toolConfig.tools.{at + 1}.member.toolSpec.description' failed to satisfy constraint: Member must have length greater than or equal to 1"


def _calls(messages: list[Body]) -> Iterator[str]:
    before: list[str] = []
    for at, message in enumerate([*messages, {}]):
        blocks = listed(message, "content")
        answered = [str(held(block, "toolResult").get("toolUseId")) for block in blocks if "toolResult" in block]
        missing = [id_ for id_ in before if id_ not in answered]
        if missing:
            yield f"Expected toolResult blocks at messages.{at}.content for the following Ids: {', '.join(missing)}"
        if len(answered) > len(before):
            yield f"The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of previous turn."
        before = [str(held(block, "toolUse").get("toolUseId")) for block in blocks if "toolUse" in block]
        if len({*before}) < len(before):
            yield f"The toolUse blocks at messages.{at}.content contain duplicate Ids: {', '.join(before)}"


def _claude(body: Body, issued: Issued) -> Iterator[str]:
    more, inference = held(body, "additionalModelRequestFields"), held(body, "inferenceConfig")
    yield from (f"{name}: Extra inputs are not permitted" for name in more if name not in _CLAUDES)
    forced = any(name in held(held(body, "toolConfig"), "toolChoice") for name in ("any", "tool"))
    sampling = claude.Sampling(
        number(inference, "maxTokens"),
        number(inference, "temperature"),
        number(inference, "topP"),
        more.get("top_k"),
        forced,
    )
    yield from claude.complaints(held(more, "thinking"), sampling)
    for at, message in enumerate(listed(body, "messages")):
        for index, block in enumerate(listed(message, "content")):
            where, thought = f"messages.{at}.content.{index}", held(block, "reasoningContent")
            if "redactedContent" in thought and thought["redactedContent"] not in issued.signatures:
                yield f"{where}: Invalid `data` in `redacted_thinking` block"
            if "reasoningText" in thought and held(thought, "reasoningText").get("signature") not in issued.signatures:
                yield f"{where}: Invalid `signature` in `thinking` block"
