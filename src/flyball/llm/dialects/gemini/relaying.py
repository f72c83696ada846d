"""A conversation of a Google caller's as it is relayed: what others' models thought is taken out, all else stays its bytes.

Google refuses a signature that is not its own; newer models refuse a turn whose first call has none.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.fields import usual
from flyball.llm.losses import Losses

from .answers import HOME, signature_of
from .turns import UNSIGNED

_ENVELOPED = b'"Zmx5YmFsbD'  # "flyball:" in base64, as far as it does not depend on what follows
_CALLS, _SEALS = ("functionCall", "function_call"), ("thoughtSignature", "thought_signature")
_CALLING = tuple(f'"{name}"'.encode() for name in _CALLS)
_MODEL, _EMPTY, _TRUE = b'"model"', (b"", b'""'), b"true"
_CONTENTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_PARTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def without_others_thoughts(fields: dict[str, Any], quirks: Quirks, losses: Losses) -> dict[str, Any]:
    """The fields of a request. What is taken out is named."""
    said = bytes(fields.get("contents", b""))
    enveloped = _ENVELOPED in said
    signs_calls = quirks.thinking_by == "level" and any(name in said for name in _CALLING)
    if not (enveloped or signs_calls) or not (contents := usual(fields["contents"], _CONTENTS)):
        return fields
    kept = list(_kept(contents, losses, signs_calls=signs_calls))
    changed = len(kept) < len(contents) or any(one is not other for one, other in zip(kept, contents, strict=True))
    return {**fields, "contents": kept} if changed else fields


def _kept(contents: Sequence[dict[str, Any]], losses: Losses, *, signs_calls: bool) -> Iterator[dict[str, Any]]:
    """The turns; one that would say nothing any more goes. What the model said in a row is one turn of its."""
    unsigned = signs_calls
    for at, content in enumerate(contents):
        by_model = bytes(content.get("role", b"")) == _MODEL
        parts = usual(content.get("parts"), _PARTS) if by_model else []
        unsigned = unsigned if by_model else signs_calls
        own: list[dict[str, Any]] = []
        of_next = ""
        for number, part in enumerate(parts):
            said, of_next = _own(part, of_next, f"contents[{at}].parts[{number}]", losses)
            if said is not None and any(name in said for name in _CALLS):
                if unsigned and not any(name in said for name in _SEALS):
                    said = {**said, _SEALS[0]: UNSIGNED}
                unsigned = False
            own += [] if said is None else [said]
        if not parts or (len(own) == len(parts) and all(one is part for one, part in zip(own, parts, strict=True))):
            yield content
        elif own:
            yield {**content, "parts": own}


def _own(part: dict[str, Any], before: str, path: str, losses: Losses) -> tuple[dict[str, Any] | None, str]:
    """A part, unless it is another's thought, and a signature for the part behind it. `before`: one that stood before this."""
    name = next((one for one in _SEALS if one in part), "")
    if not name or not bytes(part[name]).startswith(_ENVELOPED) or not bytes(part[name]).isascii():
        return ({**part, _SEALS[0]: before} if before and not name else part), ""
    signature, of_next = signature_of(msgspec.json.decode(part[name], type=str))
    if signature.origin == HOME and not of_next:
        return {**part, name: signature.data}, ""
    thought = bytes(part.get("thought", b"")) == _TRUE
    if signature.origin == HOME and thought:
        return None, signature.data
    losses.drop(f"{path}.{'thought' if thought else _SEALS[0]}")
    rest = {one: value for one, value in part.items() if one != name}
    says = any(bytes(value) not in _EMPTY for one, value in rest.items() if one != "thought")
    return (rest if says and not thought else None), ""
