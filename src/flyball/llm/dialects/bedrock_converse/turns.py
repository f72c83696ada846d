"""A conversation in Converse's words, turn by turn.

Bedrock demands turns that alternate, results directly behind their calls, words beside every document, and names of
documents that are plain and differ. It fetches nothing but from S3, and takes back no thoughts but those that it signed.
"""

import hashlib
import re
from typing import Any

from flyball.llm.arguments import to_object_of_request
from flyball.llm.losses import Losses
from flyball.llm.messages import Cache, Media, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult

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

    def __init__(self, losses: Losses) -> None:
        self.written: list[dict[str, Any]] = []
        self.system: list[dict[str, Any]] = []
        self.calls: dict[str, str] = {}
        self._losses = losses
        self._documents: dict[str, int] = {}
        self._results = 0  # blocks at the beginning of the last turn that are results

    def add(self, message: Message, path: str) -> None:
        """One more message. What Bedrock cannot say of it is dropped or refused."""
        if message.name:
            self._losses.drop(f"{path}.name")
        for number, part in enumerate(message.parts):
            place = f"{path}.content[{number}]"
            if isinstance(part, Text | Media | ToolCall) and part.signature is not None:
                self._losses.drop(f"{path}.thinking")  # Google's: it signs what is behind a thought
            if isinstance(part, Thinking):
                block = self._thought(part, path)
            else:
                block = self._block(part, place, by_model=message.role == "assistant")
            if block is None:
                continue
            if message.role not in ("system", "developer"):
                self._put("assistant" if message.role == "assistant" else "user", block, part)
            elif "text" in block:
                self.system += _with_point(block, part)
            else:
                self._losses.refuse(place, "instructions are words")

    def _put(self, role: str, block: dict[str, Any], part: Part) -> None:
        if not self.written or self.written[-1]["role"] != role:
            self.written.append({"role": role, "content": []})
            self._results = 0
        content, blocks = self.written[-1]["content"], _with_point(block, part)
        if "toolResult" in block:
            content[self._results : self._results] = blocks
            self._results += len(blocks)
            return
        if "document" in block and not any("text" in other for other in content):
            content.append({"text": block["document"]["name"]})
        content += blocks

    def _thought(self, part: Thinking, path: str) -> dict[str, Any] | None:
        signature = part.signature
        if signature is None or signature.origin != HOME or part.belongs_to_next:
            self._losses.drop(f"{path}.thinking")
            return None
        if part.redacted:
            return {"reasoningContent": {"redactedContent": signature.data}}
        return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": signature.data}}}

    def _block(self, part: Part, path: str, *, by_model: bool = False) -> dict[str, Any] | None:
        block: dict[str, Any] | None = None
        match part:
            case Text() | Refusal():
                if isinstance(part, Text) and part.citations:
                    self._losses.drop(f"{path}.citations")
                block = {"text": part.text} if part.text.strip() else None
            case Media() if by_model:
                self._losses.drop(path)  # models show images and take none back as their own
            case Media():
                block = self._media(part, path)
            case ToolCall():
                self.calls[part.id] = part.name
                text = part.arguments
                value = {"input": text} if part.custom else to_object_of_request(text, f"{path}.arguments")
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
        blocks = [self._block(inner, f"{path}.content[{number}]") for number, inner in enumerate(part.parts)]
        if any(block is not None and "audio" in block for block in blocks):
            self._losses.refuse(path, "a tool cannot answer with a recording")
        result = {"toolUseId": _id(part.call_id), "content": [block for block in blocks if block is not None]}
        if part.is_error is not None:
            result["status"] = "error" if part.is_error else "success"
        return {"toolResult": result}

    def _media(self, part: Media, path: str) -> dict[str, Any]:
        if part.detail not in ("", "auto"):
            self._losses.drop(f"{path}.detail")
        source = self._source(part, path)
        if part.kind != "document":
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


def _with_point(block: dict[str, Any], part: Part) -> list[dict[str, Any]]:
    """A block, and behind it the point that it or something in it asks for."""
    asking = (part, *part.parts) if isinstance(part, ToolResult) else (part,)
    caches = [one.cache for one in asking if not isinstance(one, Thinking | Refusal) and one.cache is not None]
    return [block, point(caches[0])] if caches else [block]


def _id(id_: str) -> str:
    """An id that Bedrock takes: the same for the same."""
    if 0 < len(id_) <= _LONGEST_ID and not _NOT_IN_IDS.search(id_):
        return id_
    return "call_" + hashlib.blake2b(id_.encode(), digest_size=12).hexdigest()
