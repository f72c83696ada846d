"""A conversation of a Responses caller's as it is relayed: what others' models thought is taken out, all else stays its bytes.

OpenAI refuses a thought that it did not write. What we worded for it has names of ours, under which nobody keeps anything.
"""

import re
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialect import Asked, suited, without_ours
from flyball.llm.fields import usual
from flyball.llm.losses import Losses
from flyball.llm.signatures import unwrap

from .items import HOME

_ENVELOPED = b'"flyball:'
_OURS = re.compile(r"(rs|msg|fc|ctc|item)_[0-9a-f]{32}_\d+")
_THOUGHT_OF_OURS = re.compile(rb'"rs_[0-9a-f]{32}_\d+"')
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class _Item(msgspec.Struct):
    type: Any = None
    id: Any = None
    encrypted_content: Any = None


_ITEM = msgspec.json.Decoder(_Item)


def relayed(asked: Asked, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
    """The body for a provider of this dialect."""
    fields: dict[str, Any] = {**without_ours(asked.fields), "model": model}
    return msgspec.json.encode(suited(_without_others_thoughts(fields, losses), quirks, losses))


def _without_others_thoughts(fields: dict[str, Any], losses: Losses) -> dict[str, Any]:
    """The fields of a body. What is taken out is named. Raises CannotCarryError for what is kept under no such name."""
    said = bytes(fields.get("input", b""))
    ours = (b'"rs_' in said and _THOUGHT_OF_OURS.search(said)) or b'"item_reference"' in said
    if not (ours or _ENVELOPED in said):
        return fields
    kept: list[Any] = []
    for at, raw in enumerate(items := usual(fields["input"], _ITEMS)):
        item = _item(raw)
        if item.type == "reasoning":
            kept += _own(raw, item, f"input[{at}]", losses)
            continue
        if item.type == "item_reference" and _OURS.fullmatch(str(item.id)):
            if not str(item.id).startswith("rs_"):
                losses.refuse(f"input[{at}]", "an answer that was worded here is kept nowhere: send the item itself")
            losses.drop(f"input[{at}]")
            continue
        kept.append(raw)
    return {**fields, "input": kept} if items else fields


def _own(raw: msgspec.Raw, item: _Item, path: str, losses: Losses) -> list[Any]:
    """A thought, unless it is another's. One of OpenAI's that was in an envelope comes out of it."""
    sealed = item.encrypted_content if isinstance(item.encrypted_content, str) else ""
    signature, of_next = unwrap(sealed, home="")
    if sealed.startswith("flyball:") and signature.origin == HOME and not of_next:
        own = {"id": signature.id} if signature.id else {}
        return [{**msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), **own, "encrypted_content": signature.data}]
    if sealed.startswith("flyball:") or (not sealed and _OURS.fullmatch(str(item.id))):
        losses.drop(path)
        return []
    return [raw]


def _item(raw: msgspec.Raw) -> _Item:
    try:
        return _ITEM.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Item()
