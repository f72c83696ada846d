"""A conversation in Converse's words, turn by turn.

Bedrock demands turns that alternate, results directly behind their calls, words beside every document, and names of
documents that are plain and differ. It fetches nothing but from S3, and takes back no thoughts but those that it signed.
"""

import hashlib
import re
from typing import Any

from flyball.llm.arguments import to_object_of_request
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.losses import Losses
from flyball.llm.messages import Cache, Media, Message, Part, Refusal, Request, Text, Thinking, ToolCall, ToolResult
from flyball.llm.translation import content_of, inner_place, name_of, refuse_beginning, thought_name

from .answers import HOME

_FORMATS = {
    "image": ("png", "jpeg", "gif", "webp"),
    "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    "video": ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"),
    "audio": ("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "m4a", "mpeg", "pcm", "webm"),
}
_OFFICE = "vnd.openxmlformats-officedocument."
_WORDS = {  # second halves of media types, and endings, that Bedrock calls otherwise
    "jpg": "jpeg",
    "plain": "txt",
    "markdown": "md",
    "x-markdown": "md",
    "htm": "html",
    "msword": "doc",
    "vnd.ms-excel": "xls",
    _OFFICE + "wordprocessingml.document": "docx",
    _OFFICE + "spreadsheetml.sheet": "xlsx",
    "x-matroska": "mkv",
    "quicktime": "mov",
    "x-flv": "flv",
    "x-ms-wmv": "wmv",
    "3gpp": "three_gp",
    "x-wav": "wav",
    "wave": "wav",
    "x-m4a": "m4a",
    "x-flac": "flac",
}
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\-()\[\]]+")
_STANDARD = str.maketrans("-_", "+/")
_LONGEST_ID = 64
_LONGEST_NAME = 180  # of the 200 that Bedrock takes; a number may be added


def point(cache: Cache) -> dict[str, Any]:
    """A point up to which may be cached."""
    return {"cachePoint": {"type": "default", "ttl": cache.ttl} if cache.ttl else {"type": "default"}}


class Turns:
    """The turns, the instructions, and the names of all tools that the conversation calls, by the calls' ids."""

    def __init__(self, request: Request, losses: Losses) -> None:
        self.written: list[dict[str, Any]] = []
        self.system: list[dict[str, Any]] = []
        self.calls: dict[str, str] = {}
        self.marks: dict[int, str] = {}  # how the caller calls the cache points, by their identities
        self._request = request
        self._losses = losses
        self._silent = ""  # the first turn that says nothing, before any that does
        self._documents: dict[str, int] = {}
        self._results = 0  # blocks at the beginning of the last turn that are results

        for number, message in enumerate(request.messages):
            self._add(message, number)

    def end(self, quirks: Quirks) -> None:
        """What the whole must be. Raises CannotCarryError, InvalidBodyError."""
        request, written = self._request, self.written
        if not written or written[0]["role"] != "user":
            refuse_beginning(request, self._losses, self._silent)
        if written[-1]["role"] == "assistant" and not quirks.prefill:
            self._losses.refuse(request.path_of(len(request.messages) - 1), "the last turn has to be the user's")

    def _add(self, message: Message, number: int) -> None:
        """One more message. What Bedrock cannot say of it is dropped or refused."""
        if message.name:
            self._losses.drop(f"{self._request.path_of(number)}.name")
        said = False
        for at, part in enumerate(message.parts):
            place = self._request.place_of(number, at)
            if isinstance(part, Text | Media | ToolCall) and part.signature is not None:
                # Google's: it signs what is behind a thought
                self._losses.drop(thought_name(self._request, number, at, "signature"))
            if isinstance(part, Thinking):
                block = self._thought(part, thought_name(self._request, number, at))
            else:
                block = self._block(part, place, by_model=message.role == "assistant")
            if block is None:
                continue
            said = True
            if message.role not in ("system", "developer"):
                self._put("assistant" if message.role == "assistant" else "user", block, self._points(part, place))
            elif "text" in block:
                self.system += [block, *self._points(part, place)]
            else:
                self._losses.refuse(place, "instructions are words")
        if not (said or self.written or self._silent or message.role in ("system", "developer")):
            self._silent = content_of(self._request, number)

    def _points(self, part: Part, place: str) -> list[dict[str, Any]]:
        """The point behind a part that it or something in it asks for. One is enough for all: the rest is named."""
        asking: list[tuple[Any, str]] = [(part, place)]
        if isinstance(part, ToolResult):
            asking += [(one, inner_place(self._request, place, part, at)) for at, one in enumerate(part.parts)]
        name = name_of(self._request, "cache")
        found = [(one.cache, f"{its}.{name}") for one, its in asking if getattr(one, "cache", None) is not None]
        if not found:
            return []
        self._losses.drop_all(name for _, name in found[1:])
        return [self.marked(found[0][0], found[0][1])]

    def marked(self, cache: Cache, name: str) -> dict[str, Any]:
        """A point, and how the caller calls it."""
        found = point(cache)
        self.marks[id(found)] = name
        return found

    def _put(self, role: str, block: dict[str, Any], points: list[dict[str, Any]]) -> None:
        if not self.written or self.written[-1]["role"] != role:
            self.written.append({"role": role, "content": []})
            self._results = 0
        content, blocks = self.written[-1]["content"], [block, *points]
        if "toolResult" in block:
            content[self._results : self._results] = blocks
            self._results += len(blocks)
            return
        if "document" in block and not any("text" in other for other in content):
            content.append({"text": block["document"]["name"]})
        content += blocks

    def _thought(self, part: Thinking, name: str) -> dict[str, Any] | None:
        signature = part.signature
        if signature is None or signature.origin != HOME or part.belongs_to_next:
            self._losses.drop(name)
            return None
        if part.redacted:
            return {"reasoningContent": {"redactedContent": signature.data}}
        return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": signature.data}}}

    def _block(self, part: Part, path: str, *, by_model: bool = False) -> dict[str, Any] | None:
        block: dict[str, Any] | None = None
        match part:
            case Text() | Refusal():
                if isinstance(part, Text) and part.citations:
                    self._losses.drop(f"{path}.{name_of(self._request, 'citations')}")
                block = {"text": part.text} if part.text.strip() else None
            case Media() if by_model:
                self._losses.drop(path)  # models show images and take none back as their own
            case Media():
                block = self._media(part, path)
            case ToolCall():
                self.calls[part.id] = part.name
                text = part.arguments
                where = f"{path}.{name_of(self._request, 'arguments')}"
                value = {"input": text} if part.custom else to_object_of_request(text, where)
                block = {"toolUse": {"toolUseId": _id(part.id), "name": part.name, "input": value}}
            case ToolResult():
                block = self._result(part, path)
            case _ if by_model:
                self._losses.drop(path)
            case _:
                self._losses.refuse(path, "only the dialect that it is written in can say it")
        return block

    def _result(self, part: ToolResult, path: str) -> dict[str, Any]:
        self.calls.setdefault(part.call_id, part.name or "tool")
        blocks = []
        for number, inner in enumerate(part.parts):
            place = inner_place(self._request, path, part, number)
            if (block := self._block(inner, place)) is not None and "audio" in block:
                self._losses.refuse(place, "a tool cannot answer with a recording")
            blocks.append(block)
        result = {"toolUseId": _id(part.call_id), "content": [block for block in blocks if block is not None]}
        if part.is_error is not None:
            result["status"] = "error" if part.is_error else "success"
        return {"toolResult": result}

    def _media(self, part: Media, path: str) -> dict[str, Any]:
        if part.detail not in ("", "auto"):
            self._losses.drop(f"{path}.{name_of(self._request, 'detail')}")
        source = self._source(part, path)
        if part.kind != "document":
            unsaid = [name for name in ("name", "context", "cite") if getattr(part, name)]
            self._losses.drop_all(f"{path}.{name_of(self._request, name)}" for name in unsaid)
            return {part.kind: {"format": self._format(part, path), "source": source}}
        name = _NOT_IN_NAMES.sub(" ", part.name.rpartition(".")[0] or part.name).strip()[:_LONGEST_NAME] or "document"
        times = self._documents[name] = self._documents.get(name, 0) + 1
        document: dict[str, Any] = {"format": "txt" if part.text else self._format(part, path)}
        document |= {"name": name if times == 1 else f"{name} {times}", "source": source}
        if part.context:
            document["context"] = part.context
        if part.cite is not None:
            document["citations"] = {"enabled": part.cite}
        return {"document": document}

    def _source(self, part: Media, path: str) -> dict[str, Any]:
        if part.data:
            return {"bytes": part.data.translate(_STANDARD) + "=" * (-len(part.data) % 4)}
        if part.text:
            return {"text": part.text}
        if not part.url.startswith("s3://"):
            self._losses.refuse(path, "it takes base64 and s3:// addresses alone")
        return {"s3Location": {"uri": part.url}}

    def _format(self, part: Media, path: str) -> str:
        """By the media type, or else by the ending of the name or the address."""
        type_ = part.media_type.partition(";")[0].rpartition("/")[2].strip().lower()
        for word in (type_, (part.name or part.url).rpartition(".")[2].lower()):
            if (found := _WORDS.get(word, word)) in _FORMATS[part.kind]:
                return found
        self._losses.refuse(path, f"it takes no {part.kind} of the type {part.media_type!r}")
        return ""


def _id(id_: str) -> str:
    """An id that Bedrock takes: the same for the same."""
    if 0 < len(id_) <= _LONGEST_ID and not _NOT_IN_IDS.search(id_):
        return id_
    return "call_" + hashlib.blake2b(id_.encode(), digest_size=12).hexdigest()
