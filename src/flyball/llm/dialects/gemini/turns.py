"""The conversation as Gemini wants it: instructions apart, the results of one turn's calls in one turn, with their names.

Knows the order and the parts; what else a question says is `writing`'s.
"""

import base64
import mimetypes
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flyball.llm import messages as m
from flyball.llm.arguments import to_object, to_object_of_request
from flyball.llm.losses import Losses
from flyball.llm.signatures import attached
from flyball.llm.translation import content_of, inner_place, name_of, refuse_beginning, thought_name

from .answers import HOME, NAME

UNSIGNED = "skip_thought_signature_validator"  # what Google takes for the signature of a call that it did not make
_MADE = re.compile(r"call_\d+_\d+")  # ids that our parser gave to calls without


class Turns:
    """The conversation as Gemini wants it. `signs_calls`: the model refuses turns whose first call has no signature."""

    def __init__(self, request: m.Request, losses: Losses, *, signs_calls: bool) -> None:
        self.written: list[dict[str, Any]] = []
        self.system: list[dict[str, Any]] = []
        self._request = request
        self._losses = losses
        self._own = request.dialect == NAME
        self._signs_calls = signs_calls
        self._names: dict[str, str] = {}  # of called functions, by the ids of their calls
        before = None
        for number, message in enumerate(request.messages):
            self._add(message, number, goes_on=before == message.role == "tool")
            before = message.role
        if not self.written:
            spoken = [at for at, one in enumerate(request.messages) if one.role not in ("system", "developer")]
            refuse_beginning(request, losses, content_of(request, spoken[0]) if spoken else "")

    def _add(self, message: m.Message, number: int, *, goes_on: bool) -> None:
        if message.name:
            self._losses.drop(f"{self._request.path_of(number)}.name")
        parts = list(self._parts(message, number))
        if message.role in ("system", "developer"):
            self.system += parts
        elif goes_on and self.written and parts:
            self.written[-1]["parts"] += parts
        elif parts:
            extra = message.extra if self._own else {}
            self.written.append({"role": "model" if message.role == "assistant" else "user", "parts": parts, **extra})

    def _parts(self, message: m.Message, number: int) -> Iterator[dict[str, Any]]:
        request = self._request
        by_model, instructs = message.role == "assistant", message.role in ("system", "developer")
        unsigned = self._signs_calls
        for at, part in _attached(message.parts):
            where = request.place_of(number, at)
            if isinstance(part, m.Thinking):
                said = self._thought(part, thought_name(request, number, at))
            else:
                said = self._part(part, where, by_model)
            if said is None:
                continue
            if instructs and "text" not in said and not self._own:
                self._losses.refuse(where, "instructions are words")
            seal = getattr(part, "signature", None)
            if seal is not None and seal.origin == HOME:
                said["thoughtSignature"] = seal.data
            elif seal is not None and not isinstance(part, m.Thinking):
                self._losses.drop(thought_name(request, number, at, "signature"))
            if "functionCall" in said:
                if unsigned:
                    said.setdefault("thoughtSignature", UNSIGNED)
                unsigned = False
            yield said

    def _thought(self, part: m.Thinking, name: str) -> dict[str, Any] | None:
        """Google's own, or what its caller sent back as one; a signature that no part took stands on an empty text."""
        if part.signature is None and self._own:
            return {"text": part.text, "thought": True, **part.extra}
        if part.signature is None or part.signature.origin != HOME:
            self._losses.drop(name)
            return None
        if part.redacted or part.belongs_to_next:
            return {"text": ""}
        return {"text": part.text, "thought": True}

    def _part(self, part: m.Part, path: str, by_model: bool) -> dict[str, Any] | None:  # noqa: FBT001, PLR0911 -- a fact of the turn; one for each kind
        if not isinstance(part, (m.Refusal, m.Thinking)) and part.cache is not None:
            self._losses.drop(f"{path}.{name_of(self._request, 'cache')}")
        extra = dict(part.extra) if self._own and isinstance(part, m.Text | m.Media) else {}
        match part:
            case m.Text():
                if part.citations:
                    self._losses.drop(f"{path}.{name_of(self._request, 'citations')}")
                return {"text": part.text, **extra} if part.text or part.signature is not None else None
            case m.Refusal():
                return {"text": part.text} if part.text else None
            case m.ToolCall():
                return {"functionCall": self._call(part, path)}
            case m.ToolResult():
                return {"functionResponse": self._result(part, path)}
            case m.Media():
                return {**self._media(part, path), **extra}
            case m.Native() if part.dialect == NAME:
                return dict(part.raw)
        if by_model:
            self._losses.drop(path)
        else:
            self._losses.refuse(path, "only the dialect that it is written in can say it")
        return None

    def _call(self, part: m.ToolCall, path: str) -> dict[str, Any]:
        self._names[part.id] = part.name
        text = part.arguments
        args = (
            {"input": text}
            if part.custom
            else to_object_of_request(text, f"{path}.{name_of(self._request, 'arguments')}")
        )
        return {**self._id(part.id), "name": part.name, "args": args, **(part.extra if self._own else {})}

    def _result(self, part: m.ToolResult, path: str) -> dict[str, Any]:
        name = self._names.get(part.call_id) or part.name
        if not name:
            self._losses.refuse(path, "it wants the function's name, and the call is not in the conversation")
        texts: list[str] = []
        media: list[dict[str, Any]] = []
        for number, one in enumerate(part.parts):
            said = self._part(one, inner_place(self._request, path, part, number), by_model=False) or {}
            if isinstance(one, m.Text):
                texts.append(one.text)
            else:
                media.append(said)
        written: dict[str, Any] = {
            **self._id(part.call_id),
            "name": name,
            "response": _response("\n".join(texts), part.is_error),
        }
        if media:
            written["parts"] = media
        return {**written, **(part.extra if self._own else {})}

    def _id(self, id_: str) -> dict[str, str]:
        return {} if not id_ or (self._own and _MADE.fullmatch(id_)) else {"id": id_}

    def _media(self, part: m.Media, path: str) -> dict[str, Any]:
        if part.detail not in ("", "auto"):
            self._losses.drop(f"{path}.{name_of(self._request, 'detail')}")
        name = {"displayName": part.name} if part.name and self._own else {}
        for field in ("name", "context", "cite"):
            if getattr(part, field) and not (field == "name" and self._own):
                self._losses.drop(f"{path}.{name_of(self._request, field)}")
        if part.data or part.text:
            data = part.data or base64.b64encode(part.text.encode()).decode()
            type_ = part.media_type or ("text/plain" if part.text else "application/octet-stream")
            return {"inlineData": {"mimeType": type_, "data": data, **name}}
        if part.file_id and not self._own:
            self._losses.refuse(path, "it takes no file of another provider")
        url = part.file_id or part.url
        if not url.startswith(("https://", "http://", "gs://")) and not self._own:
            self._losses.refuse(path, "it takes base64, addresses of the web and gs:// addresses")
        guessed = part.media_type or (mimetypes.guess_type(url.partition("?")[0])[0] or "" if not self._own else "")
        return {"fileData": {**({"mimeType": guessed} if guessed else {}), "fileUri": url, **name}}


def _attached(parts: Sequence[m.Part]) -> Iterator[tuple[int, m.Part]]:
    """The parts with the signatures that stand before them, and the place of each among those that were given."""
    if m.Thinking not in map(type, parts):
        yield from enumerate(parts)
        return
    places = iter([at for at, _ in enumerate(parts)])
    for part in attached(parts):
        at = next(places)
        while parts[at] is not part and isinstance(before := parts[at], m.Thinking) and before.belongs_to_next:
            at = next(places)  # it has become the signature of this one
        yield at, part


def _response(text: str, is_error: bool | None) -> dict[str, Any] | msgspec.Raw:  # noqa: FBT001 -- as the vocabulary has it
    """An object: what the function answered if it is one, else under the names that Google gives to answers and errors."""
    found: Any = to_object(text) if text.lstrip().startswith("{") else None
    whole = found if isinstance(found, msgspec.Raw) else None
    if is_error:
        return {"error": text if whole is None else whole}
    return {"output": text} if whole is None else whole
