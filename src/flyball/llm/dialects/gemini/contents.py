"""A conversation in Gemini's words, read: turns of parts, each of which is told by the one field that it has.

Results stand among a user's parts and become turns of their own. Where calls have no ids they get some, and a result
without one answers the oldest call of its name that is still open.
"""

import re
from collections.abc import Container
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from flyball.llm import messages as m
from flyball.llm.arguments import NO_ARGUMENTS, to_object
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import decoded, missing, usual, wrong
from flyball.llm.media import prove

from .answers import NAME, NULL, media_kind, signature_of

_ROLES: dict[str, m.Role] = {
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
    "system": "system",
}
FILES = re.compile(
    r"https://generativelanguage\.googleapis\.com/[^?]*\bfiles/[^?]+"
)  # of the Files API: its vendor's alone
_Raw = msgspec.Raw
_ANY, _TEXT, _FLAG = msgspec.json.Decoder(), msgspec.json.Decoder(str | None), msgspec.json.Decoder(bool | None)
_OBJECT = msgspec.json.Decoder(dict[str, _Raw] | None)
_CONTENTS = msgspec.json.Decoder(list[dict[str, _Raw]] | dict[str, _Raw] | str | None)
_PARTS = msgspec.json.Decoder(list[dict[str, _Raw] | str] | dict[str, _Raw] | str | None)
_ANSWER = msgspec.json.Decoder(_Raw)


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    id: str = ""
    args: _Raw = NO_ARGUMENTS


class _Response(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    response: _Raw
    id: str = ""


class _Plain(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A part as almost all are. Any other is taken apart field by field, as it is for the sake of its errors."""

    text: str | None = None
    function_call: _Call | None = None
    function_response: _Response | None = None
    thought_signature: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether it is one thing, and nothing that it needs is missing."""
        call, response = self.function_call, self.function_response
        if call is not None:
            return response is None and self.text is None and call.name != "" and bytes(call.args).startswith(b"{")
        if response is not None:
            return self.text is None and response.name != "" and bytes(response.response).startswith(b"{")
        return self.text is not None


_PLAIN = msgspec.json.Decoder(list[_Plain])
_PLAIN_ROLES: dict[bytes, m.Role] = {b'"user"': "user", b'"model"': "assistant"}


@lru_cache(1024)
def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest) if head else name


def spelled(name: str, known: Container[str]) -> str:
    """A field's name in Google's first spelling, where it is one that is known."""
    return found if "_" in name and len(name) < 64 and (found := _camel(name)) in known else name


class Raws:
    """An object whose values are still bytes. Each `take` empties it a little; names in either spelling are one."""

    __slots__ = ("_left", "path")

    def __init__(self, value: dict[str, _Raw], path: str) -> None:
        spell = path and "_" in "".join(value)
        self._left = {_camel(name) if spell else name: raw for name, raw in value.items()} if spell else value
        self.path = path

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, decoder: Any) -> Any:
        """One field's value; None where it is absent. Raises InvalidBodyError, naming it."""
        raw = self._left.pop(name, None)
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            path = self.at(name)
            raise InvalidBodyError(f"the field {path!r} is wrong: {error}", param=path) from None

    def has(self, name: str) -> bool:
        """Whether it is there and says something."""
        return self._left.get(name, NULL) != NULL

    @property
    def is_more(self) -> bool:
        """Whether anything is still to be taken."""
        return bool(self._left)

    def put(self, name: str, raw: _Raw) -> None:
        """Back again."""
        self._left[name] = raw

    def rest(self) -> dict[str, _Raw]:
        """What nobody took; nulls say nothing."""
        return {name: raw for name, raw in self._left.items() if raw != NULL}

    def left(self, leftovers: list[str]) -> dict[str, _Raw]:
        """The same; its paths join `leftovers`."""
        if not self._left:
            return {}
        rest = self.rest()
        leftovers.extend(self.at(name) for name in rest)
        return rest


class Turn(NamedTuple):
    """A turn, where it stands, and where each of its parts does."""

    message: m.Message
    path: str
    places: tuple[str, ...]


class Turns:
    """The conversation, the instructions first."""

    def __init__(self, leftovers: list[str]) -> None:
        self._leftovers = leftovers
        self._open: dict[str, list[str]] = {}  # ids of calls that no result has answered, by their names
        self._ids: set[str] = set()

    def all(self, fields: Raws) -> list[Turn]:
        """Every turn. Raises InvalidBodyError."""
        system = fields.take("systemInstruction", _CONTENTS)
        said = system if isinstance(system, list) else [system]
        turns = [_placed(self._system(one), "systemInstruction") for one in said if one is not None]
        contents = fields.take("contents", _CONTENTS)
        if contents in (None, []):
            raise missing("contents", "a list of turns")
        for number, content in enumerate(contents if isinstance(contents, list) else [contents]):
            path = f"contents[{number}]"
            if isinstance(content, str):
                turns.append(Turn(m.Message(role="user", parts=(m.Text(text=content),)), path, (path,)))
            else:
                plain = self._plain(content, path, number)
                for turn in self._turns(Raws(content, path), number) if plain is None else (plain,):
                    before = turns[-1] if turns else None
                    if before is not None and before.message.role == turn.message.role == "assistant":
                        # Google's own chats keep each chunk of a stream as a turn.
                        turns[-1] = _joined(before, turn)
                    else:
                        turns.append(turn)
        return [_whole(one) if one.message.role == "assistant" and len(one.places) > 1 else one for one in turns]

    def _system(self, said: dict[str, _Raw] | str) -> m.Message:
        if isinstance(said, str):
            return m.Message(role="system", parts=(m.Text(text=said),))
        turn = Raws(said, "systemInstruction")
        turn.take("role", _ANY)
        if turn.has("text"):  # a part in the place of a turn
            return m.Message(role="system", parts=(self._part(turn, -1, 0),))
        return m.Message(role="system", parts=self._parts(turn, -1), extra=turn.left(self._leftovers))

    def _turns(self, turn: Raws, number: int) -> list[Turn]:
        word = turn.take("role", _TEXT) or ""
        if (role := _ROLES.get(word)) is None:
            message = f"{turn.at('role')} is {word!r}; expected user or model"
            raise InvalidBodyError(message, param=turn.at("role"), next_step="send one of these roles")
        parts = self._parts(turn, number)
        extra = turn.left(self._leftovers)
        whole = _placed(m.Message(role=role, parts=parts, extra=extra), turn.path)
        if not any(isinstance(part, m.ToolResult) for part in parts):
            return [whole]
        results = [at for at, part in enumerate(parts) if isinstance(part, m.ToolResult)]
        others = [at for at, part in enumerate(parts) if not isinstance(part, m.ToolResult)]
        said = _some(whole, results, role="tool", extra={})
        return [said, _some(whole, others, role=role, extra=extra)] if others or extra else [said]

    def _plain(self, content: dict[str, _Raw], path: str, number: int) -> Turn | None:
        """A turn as almost all are; None for any other."""
        role = _PLAIN_ROLES.get(bytes(content.get("role", NULL))) if len(content) == 2 else None
        said: list[_Plain] = [] if role is None else usual(content.get("parts"), _PLAIN)
        results = [one for one in said if one.function_response is not None]
        if role is None or not said or 0 < len(results) < len(said) or not all(one.is_sound for one in said):
            return None
        parts = tuple([self._made(one, number, at) for at, one in enumerate(said)])
        return _placed(m.Message(role="tool" if results else role, parts=parts), path)

    def _made(self, part: _Plain, turn: int, at: int) -> m.Part:
        signature = signature_of(part.thought_signature)[0] if part.thought_signature else None
        if (call := part.function_call) is not None:
            return self._called(call.name, call.id or f"call_{turn}_{at}", call.args, signature, {})
        if (result := part.function_response) is None:
            return m.Text(text=part.text or "", signature=signature)
        text, is_error = _answer(result.response, f"contents[{turn}].parts[{at}].functionResponse.response")
        id_ = self._answered(result.name, result.id, f"{turn}_{at}")
        return m.ToolResult(
            call_id=id_, name=result.name, parts=(m.Text(text=text),) if text else (), is_error=is_error
        )

    def _parts(self, turn: Raws, number: int) -> tuple[m.Part, ...]:
        found = turn.take("parts", _PARTS)
        path = turn.at("parts")
        parts = found if isinstance(found, list) else [] if found is None else [found]
        return tuple(
            m.Text(text=part) if isinstance(part, str) else self._part(Raws(part, f"{path}[{at}]"), number, at)
            for at, part in enumerate(parts)
        )

    def _part(self, part: Raws, turn: int, at: int) -> m.Part:  # noqa: PLR0911 -- one for each kind
        text = part.take("text", _TEXT)
        if text is not None and not part.is_more:
            return m.Text(text=text)
        seal = part.take("thoughtSignature", _TEXT)
        thought = part.take("thought", _FLAG)
        signature, of_next = signature_of(seal) if seal else (None, False)
        if thought and (text is not None or seal):
            redacted = text is None and not of_next
            extra = part.left(self._leftovers)
            return m.Thinking(
                text=text or "", signature=signature, redacted=redacted, belongs_to_next=of_next, extra=extra
            )
        if text is not None:
            return m.Text(text=text, signature=signature, extra=part.left(self._leftovers))
        for name in ("functionCall", "functionResponse", "inlineData", "fileData"):
            if part.has(name):
                inner = Raws(part.take(name, _OBJECT), part.at(name))
                if name == "functionCall":
                    return self._call(part, inner, signature, f"{turn}_{at}")
                if name == "functionResponse":
                    return self._result(part, inner, f"{turn}_{at}")
                return self._media(part, inner, signature)
        rest = part.rest()
        if not rest:
            return m.Text(text="", signature=signature)
        seals = {"thoughtSignature": seal} if seal else {}
        kind = next(iter(rest))
        return m.Native(
            dialect=NAME, kind=kind, raw={**{name: decoded(raw, part.at(name)) for name, raw in rest.items()}, **seals}
        )

    def _call(self, part: Raws, call: Raws, signature: m.Signature | None, place: str) -> m.ToolCall:
        name, args = call.take("name", _TEXT) or "", call.take("args", _ANSWER)
        if not name:
            raise missing(call.at("name"), "the function that is called")
        if args is None or args == NULL:
            args = NO_ARGUMENTS
        if not bytes(args).startswith(b"{"):
            raise wrong(call.at("args"), "an object", decoded(args, call.at("args")))
        id_ = call.take("id", _TEXT) or f"call_{place}"
        return self._called(name, id_, args, signature, {**call.left(self._leftovers), **part.left(self._leftovers)})

    def _called(
        self, name: str, id_: str, args: _Raw, signature: m.Signature | None, extra: dict[str, Any]
    ) -> m.ToolCall:
        self._open.setdefault(name, []).append(id_)
        self._ids.add(id_)
        return m.ToolCall(id=id_, name=name, arguments=bytes(args).decode(), signature=signature, extra=extra)

    def _result(self, part: Raws, result: Raws, place: str) -> m.ToolResult:
        name = result.take("name", _TEXT) or ""
        id_ = self._answered(name, result.take("id", _TEXT) or "", place)
        said: list[m.Text | m.Media | m.Native] = []
        text, is_error = _answer(result.take("response", _ANSWER), result.at("response"))
        if text:
            said.append(m.Text(text=text))
        media = result.take("parts", _PARTS)
        for number, one in enumerate(media if isinstance(media, list) else [] if media is None else [media]):
            path = f"{result.at('parts')}[{number}]"
            found = self._part(Raws(one, path), 0, number) if isinstance(one, dict) else m.Text(text=one)
            if not isinstance(found, m.Text | m.Media | m.Native):
                raise wrong(path, "media", one)
            said.append(found)
        extra = {**result.left(self._leftovers), **part.left(self._leftovers)}
        return m.ToolResult(call_id=id_, name=name, parts=tuple(said), is_error=is_error, extra=extra)

    def _answered(self, name: str, id_: str, place: str) -> str:
        """The id of the call that a result answers."""
        waiting = self._open.get(name) or []
        if id_ not in self._ids:
            id_ = waiting[0] if waiting else id_ or f"call_{place}"
        if id_ in waiting:
            waiting.remove(id_)
        return id_

    def _media(self, part: Raws, blob: Raws, signature: m.Signature | None) -> m.Media:
        type_, data = blob.take("mimeType", _TEXT) or "", blob.take("data", _TEXT) or ""
        url = blob.take("fileUri", _TEXT) or ""
        if not data and not url:
            raise missing(blob.at("data"), "the data in base64, or a `fileUri`")
        by_file = FILES.fullmatch(url) is not None
        return m.Media(
            kind=media_kind(type_),
            media_type=type_,
            data=prove(type_, data, blob.at("data")) if data else "",
            url="" if by_file else url,
            file_id=url if by_file else "",
            name=blob.take("displayName", _TEXT) or "",
            signature=signature,
            extra={**blob.left(self._leftovers), **part.left(self._leftovers)},
        )


def _placed(message: m.Message, path: str) -> Turn:
    return Turn(message, path, tuple([f"{path}.parts[{at}]" for at in range(len(message.parts))]))


def _some(turn: Turn, chosen: list[int], **changes: Any) -> Turn:
    """A turn of some of the parts."""
    parts = tuple(turn.message.parts[at] for at in chosen)
    places = tuple(turn.places[at] for at in chosen)
    return Turn(replace(turn.message, parts=parts, **changes), turn.path, places)


def _joined(before: Turn, turn: Turn) -> Turn:
    parts = before.message.parts + turn.message.parts
    extra = {**before.message.extra, **turn.message.extra}
    return Turn(replace(before.message, parts=parts, extra=extra), before.path, before.places + turn.places)


def _whole(turn: Turn) -> Turn:
    """A turn as the model meant it: words and thoughts that were streamed are one, and an empty text says nothing."""
    message = turn.message
    found: list[m.Part] = []
    places: list[str] = []
    for part, place in zip(message.parts, turn.places, strict=True):
        if isinstance(part, m.Text) and not part.text and part.signature is None:
            continue
        last = found[-1] if found else None
        if _goes_on(last, part):
            found[-1] = replace(part, text=last.text + part.text, extra=last.extra)  # type: ignore[union-attr] # both have a text
        else:
            found.append(part)
            places.append(place)
    return Turn(replace(message, parts=tuple(found) or message.parts[:1]), turn.path, tuple(places) or turn.places[:1])


def _goes_on(last: m.Part | None, part: m.Part) -> bool:
    """Whether a part is the next piece of what comes before: a signature ends both words and thoughts."""
    if isinstance(part, m.Text):
        return isinstance(last, m.Text) and last.signature is None and not part.extra
    return (
        isinstance(part, m.Thinking)
        and isinstance(last, m.Thinking)
        and last.signature is None
        and not part.redacted
        and not part.extra
    )


def _answer(raw: _Raw | None, path: str) -> tuple[str, bool | None]:
    """What a function answered, and whether that is an error: `output` and `error` are Google's names for the two."""
    if raw is None or raw == NULL:
        return "", None
    text = bytes(raw).decode()
    if not text.startswith("{"):
        raise wrong(path, "an object", decoded(raw, path))
    said = decoded(raw, path, dict[str, _Raw])
    if len(said) == 1:
        for name, is_error in (("output", None), ("error", True)):
            if (inner := said.get(name)) is not None and bytes(inner).startswith(b'"'):
                words = decoded(inner, path, str)
                if not words.lstrip().startswith("{") or isinstance(to_object(words), dict):
                    return words, is_error
            elif inner is not None and is_error:
                return bytes(inner).decode(), is_error
    return text, None
