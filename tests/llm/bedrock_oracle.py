"""What Amazon publishes of Converse, as a judge: botocore's service model, whose types, unions, bounds and patterns must hold.

Knows the rules that the model states only in words, too: turns alternate, results follow their calls, names differ.
"""

import base64
import re
from functools import cache
from itertools import pairwise
from typing import Any

import botocore.session
from botocore.model import Shape
from botocore.validate import ParamValidator


@cache
def _service() -> Any:
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def judge(shape_name: str, value: Any) -> None:
    """Fails where a value is not of a shape of the service."""
    shape = _service().shape_for(shape_name)
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), report.generate_report()
    _walk(value, shape, shape_name)


def judge_request(body: dict[str, Any]) -> None:
    """Fails where Converse would refuse a body."""
    judge("ConverseRequest", {"modelId": "anthropic.claude-sonnet-4-20250514-v1:0", **body})
    roles = [turn["role"] for turn in body["messages"]]
    assert roles[0] == "user"
    assert all(one != other for one, other in pairwise(roles))
    names = [block["document"]["name"] for turn in body["messages"] for block in turn["content"] if "document" in block]
    assert len(set(names)) == len(names)
    waiting: set[str] = set()
    for turn in body["messages"]:
        content = turn["content"]
        assert content
        kinds = [next(iter(block)) for block in content if "cachePoint" not in block]
        assert all(block["text"].strip() for block in content if "text" in block)
        assert "document" not in kinds or "text" in kinds
        answered = {block["toolResult"]["toolUseId"] for block in content if "toolResult" in block}
        assert answered == waiting
        assert kinds == sorted(kinds, key=lambda kind: kind != "toolResult") or turn["role"] == "assistant"
        waiting = {block["toolUse"]["toolUseId"] for block in content if "toolUse" in block}
        assert "toolConfig" in body or not (waiting or answered)


def judge_answer(body: dict[str, Any]) -> None:
    """Fails where Converse would not answer so."""
    judge("ConverseResponse", {"usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}, **body})


def judge_events(events: list[dict[str, Any]]) -> None:
    """Fails where ConverseStream would not stream so."""
    for event in events:
        name = event["event"].removeprefix("exception:")
        judge("ConverseStreamOutput", {name: event["payload"]})


def _walk(value: Any, shape: Shape, path: str) -> None:
    """The model's patterns and its base64, which the validator leaves to the service."""
    if shape.type_name == "structure":
        members = shape.members  # type: ignore[attr-defined] # a structure has them
        for name in members.keys() & (value if isinstance(value, dict) else {}):
            _walk(value[name], members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for number, one in enumerate(value):
            _walk(one, shape.member, f"{path}[{number}]")  # type: ignore[attr-defined] # a list has one
    elif shape.type_name == "blob":
        assert base64.b64encode(base64.b64decode(value, validate=True)).decode() == value, path
    elif shape.type_name == "string":
        enum, pattern = getattr(shape, "enum", None), shape.metadata.get("pattern")
        assert not enum or value in enum, f"{path}: {value} is none of {enum}"
        assert not pattern or re.fullmatch(pattern, value), f"{path}: {value} does not match {pattern}"
        assert len(value) <= shape.metadata.get("max", len(value)), path
        if shape.name == "DocumentBlockNameString":
            assert re.fullmatch(r"[a-zA-Z0-9\-()\[\]]+( [a-zA-Z0-9\-()\[\]]+)*", value), path
