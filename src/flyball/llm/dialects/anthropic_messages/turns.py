"""The conversation as Anthropic wants it: instructions apart, turns that alternate, results before all else, no empty text.

Knows the order and the blocks; what else a question says is `writing`'s.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from flyball.llm.arguments import to_object_of_request
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Cache,
    Media,
    Message,
    Native,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from flyball.llm.translation import content_of, inner_place, name_of, refuse_beginning, thought_name

from .answers import HOME, NAME

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Turns:
    """The conversation as Anthropic wants it. `marks` says how the caller calls the cache points, by the blocks' identities."""

    def __init__(self, request: Request, losses: Losses) -> None:
        self.written: list[dict[str, Any]] = []
        self.system: list[dict[str, Any]] = []
        self.marks: dict[int, str] = {}
        self._request = request
        self._losses = losses
        self._own = request.dialect == NAME
        self._results = 0  # blocks at the beginning of the last turn that are results
        self._silent = ""  # the first turn that says nothing, before any that does
        for number, message in enumerate(request.messages):
            self._add(message, number)

    def end(self, quirks: Quirks) -> None:
        """What the whole must be. Writes a turn of one text as a string. Raises CannotCarryError, InvalidBodyError."""
        written, losses = self.written, self._losses
        if not written or written[0]["role"] != "user":
            refuse_beginning(self._request, losses, self._silent)
        if written[-1]["role"] == "assistant":
            if not quirks.prefill:
                last_path = self._request.path_of(len(self._request.messages) - 1)
                losses.refuse(last_path, "the last turn has to be the user's")
            if "text" in (last := written[-1]["content"][-1]):
                last["text"] = last["text"].rstrip()  # Anthropic refuses it otherwise
        for turn in written:
            content = turn["content"]
            if len(content) == 1 and len(content[0]) == 2 and "text" in content[0]:
                turn["content"] = content[0]["text"]

    def _add(self, message: Message, number: int) -> None:
        role = "assistant" if message.role == "assistant" else "user"
        if message.name:
            self._losses.drop(f"{self._request.path_of(number)}.name")
        if message.role in ("system", "developer"):
            # Anthropic itself takes instructions between turns; for anybody else's callers they go to the front.
            role = "system" if self._own and self.written else ""
        blocks = list(self._blocks(message, number, is_instruction=role in ("", "system")))
        if not role:
            self.system += blocks
        elif blocks:
            self._put(role, blocks)
            if self._own:
                self.written[-1] |= message.extra
        elif not self.written and not self._silent:
            self._silent = content_of(self._request, number)

    def _put(self, role: str, blocks: list[dict[str, Any]]) -> None:
        if not self.written or self.written[-1]["role"] != role:
            self.written.append({"role": role, "content": []})
            self._results = 0
        content = self.written[-1]["content"]
        for block in blocks:
            if block["type"] == "tool_result":
                content.insert(self._results, block)
                self._results += 1
            else:
                content.append(block)

    def _blocks(self, message: Message, number: int, *, is_instruction: bool) -> Iterator[dict[str, Any]]:
        for at, part in enumerate(message.parts):
            where = self._request.place_of(number, at)
            if isinstance(part, Text | Media | ToolCall) and part.signature is not None:
                # Google signs what is behind a thought, in front of which Anthropic has nowhere to put it.
                self._losses.drop(thought_name(self._request, number, at, "signature"))
            if isinstance(part, Thinking) and not _is_home(part):
                self._losses.drop(thought_name(self._request, number, at))
                continue
            block = self._block(part, where, message.role)
            if block is None:
                continue
            if is_instruction and block["type"] != "text":
                self._losses.refuse(where, "instructions are words")
            yield self._marked(block, part, where)

    def _marked(self, block: dict[str, Any], part: Part, path: str) -> dict[str, Any]:
        if isinstance(part, Refusal):
            return block
        if not isinstance(part, Thinking) and part.cache is not None:
            block["cache_control"] = point(part.cache)
            self.marks[id(block)] = f"{path}.{name_of(self._request, 'cache')}"
        if self._own and not isinstance(part, Native) and part.extra and "block" not in part.extra:
            block |= part.extra
        return block

    def _block(self, part: Part, path: str, role: str) -> dict[str, Any] | None:  # noqa: C901, PLR0911 -- one for each kind
        match part:
            case Text():
                block: dict[str, Any] = {"type": "text", "text": part.text}
                if part.citations:
                    own = [citation.extra for citation in part.citations if citation.dialect == NAME]
                    if len(own) != len(part.citations):
                        self._losses.drop(f"{path}.{name_of(self._request, 'citations')}")
                    block |= {"citations": own} if own else {}
                return block if part.text.strip() else None
            case ToolCall():
                text = part.arguments
                where = f"{path}.{name_of(self._request, 'arguments')}"
                given = {"input": text} if part.custom else to_object_of_request(text, where)
                return {"type": "tool_use", "id": _id(part.id), "name": part.name, "input": given}
            case ToolResult():
                return self._result(part, path)
            case Thinking(signature=signature) if signature is not None:
                if part.redacted:
                    return {"type": "redacted_thinking", "data": signature.data}
                return {"type": "thinking", "thinking": part.text, "signature": signature.data}
            case Media():
                if role == "assistant":
                    self._losses.drop(path)  # Anthropic takes none from the assistant
                    return None
                return self._media(part, path)
            case Refusal():
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Native() if part.dialect == NAME:
                return dict(part.raw)
            case Native() if role != "assistant":
                self._losses.refuse(path)
        self._losses.drop(path)
        return None

    def _result(self, part: ToolResult, path: str) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": _id(part.call_id)}
        inner = []
        for number, one in enumerate(part.parts):
            where = inner_place(self._request, path, part, number)
            if (said := self._block(one, where, "tool")) is not None:
                inner.append(self._marked(said, one, where))
        if inner:
            plain = len(inner) == 1 and inner[0].keys() == {"type", "text"}
            block["content"] = inner[0]["text"] if plain else inner
        if part.is_error is not None:
            block["is_error"] = part.is_error
        return block

    def _media(self, part: Media, path: str) -> dict[str, Any]:
        if "block" in part.extra and self._own:
            return dict(part.extra["block"])
        if part.kind not in ("image", "document"):
            self._losses.refuse(path, f"it takes no {part.kind}")
        if part.detail not in ("", "auto"):
            self._losses.drop(f"{path}.{name_of(self._request, 'detail')}")
        block: dict[str, Any] = {"type": part.kind, "source": self._source(part, path)}
        if part.kind != "document":
            unsaid = [name for name in ("name", "context", "cite") if getattr(part, name)]
            self._losses.drop_all(f"{path}.{name_of(self._request, name)}" for name in unsaid)
        else:
            block |= {"title": part.name} if part.name else {}
            block |= {"context": part.context} if part.context else {}
            block |= {"citations": {"enabled": part.cite}} if part.cite is not None else {}
        return block

    def _source(self, part: Media, path: str) -> dict[str, Any]:
        if part.text:
            return {"type": "text", "media_type": "text/plain", "data": part.text}
        if part.data:
            if not self._own and part.media_type not in (_IMAGES if part.kind == "image" else ("application/pdf",)):
                self._losses.refuse(path, f"it takes no {part.kind} of the type {part.media_type!r}")
            return {"type": "base64", "media_type": part.media_type, "data": part.data}
        if part.file_id and self._own:
            return {"type": "file", "file_id": part.file_id}
        if not part.url.startswith(("https://", "http://")) and not self._own:
            self._losses.refuse(path, "it takes base64 and addresses of the web")
        return {"type": "url", "url": part.url}


def _is_home(thought: Thinking) -> bool:
    return thought.signature is not None and thought.signature.origin == HOME and not thought.belongs_to_next


def _id(id_: str) -> str:
    """An id that Anthropic takes: the same for the same."""
    return id_ if _ID.fullmatch(id_) else "call_" + hashlib.blake2b(id_.encode(), digest_size=12).hexdigest()


def point(cache: Cache) -> dict[str, Any]:
    """A cache point."""
    return {"type": "ephemeral", "ttl": cache.ttl} if cache.ttl in ("5m", "1h") else {"type": "ephemeral"}
