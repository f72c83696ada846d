"""A conversation of an Anthropic caller's as it is relayed: what others' models thought is taken out, all else stays its bytes.

Anthropic refuses a thought that it did not sign, and to think on behind a call whose thought is not there.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.fields import usual
from flyball.llm.losses import Losses
from flyball.llm.signatures import unwrap

from .answers import HOME

_ENVELOPED, _UNSIGNED = b'"flyball:', re.compile(rb'"signature":\s*""')
_THOUGHTS = {"thinking": "signature", "redacted_thinking": "data"}
_MESSAGES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_BLOCKS = msgspec.json.Decoder(list[msgspec.Raw])


class _Block(msgspec.Struct):
    type: Any = None
    signature: Any = None
    data: Any = None


_BLOCK = msgspec.json.Decoder(_Block)


def without_others_thoughts(fields: dict[str, Any], quirks: Quirks, losses: Losses) -> dict[str, Any]:
    """The fields of a body. What is taken out is named; where the last turn's call has lost its thought, so is `thinking`."""
    said = bytes(fields["messages"])
    unsigned = quirks.unsigned_thoughts
    if _is_marked(said, unsigned=unsigned) and (messages := usual(fields["messages"], _MESSAGES)):
        fields = {**fields, "messages": list(_kept(messages, losses, unsigned=unsigned))}
    thinks = b'"enabled"' in bytes(fields.get("thinking", b""))
    if thinks and b'"tool_use"' in said and not unsigned and _calls_without_thought(fields["messages"]):
        losses.drop("thinking")
        del fields["thinking"]
    return fields


def _is_marked(said: bytes, *, unsigned: bool) -> bool:
    """Whether these bytes may hold another's thought. `unsigned`: the vendor takes those that nobody signed."""
    return _ENVELOPED in said or not (unsigned or _UNSIGNED.search(said) is None)


def _kept(messages: Sequence[dict[str, Any]], losses: Losses, *, unsigned: bool) -> Iterator[dict[str, Any]]:
    """The turns; one that would say nothing any more goes."""
    for at, message in enumerate(messages):
        content = message.get("content", b"")
        blocks = usual(content, _BLOCKS) if _is_marked(bytes(content), unsigned=unsigned) else []
        own = [
            block
            for number, raw in enumerate(blocks)
            for block in _own(raw, f"messages[{at}].content[{number}]", losses, unsigned=unsigned)
        ]
        if own or not blocks:
            yield {**message, "content": own} if own else message


def _own(raw: msgspec.Raw, path: str, losses: Losses, *, unsigned: bool) -> Iterator[Any]:
    """A block, unless it is another's thought. One of Anthropic's that was in an envelope comes out of it."""
    block = _block(raw)
    name = _THOUGHTS.get(block.type) if isinstance(block.type, str) else None
    seal = getattr(block, name) if name else None
    if name is None or (isinstance(seal, str) and seal and not seal.startswith("flyball:")) or (not seal and unsigned):
        yield raw
        return
    signature, of_next = unwrap(seal or "", home="")
    if signature.origin != HOME or of_next:
        losses.drop(f"{path}.thinking")
    else:
        yield {**msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), name: signature.data}


def _calls_without_thought(messages: Any) -> bool:
    """Whether the assistant's last turn calls a tool and does not begin with a thought."""
    turns = usual(messages, _MESSAGES) if isinstance(messages, msgspec.Raw) else messages
    last: Any = next(
        (one.get("content") for one in reversed(turns) if bytes(one.get("role", b"")) == b'"assistant"'), b""
    )
    blocks: Any = usual(last, _BLOCKS) if isinstance(last, msgspec.Raw) else last
    kinds = [str(one.get("type") if isinstance(one, dict) else _block(one).type) for one in blocks or ()]
    return "tool_use" in kinds and kinds[0] not in _THOUGHTS


def _block(raw: msgspec.Raw) -> _Block:
    try:
        return _BLOCK.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Block()
