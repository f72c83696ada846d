"""A prompt's immutable version, its source byte for byte and the hash by which it is known; its labels; and what rendering one gives."""

from typing import Any, Literal

import msgspec

from flyball.kit.hashing import bytes_hash


class RenderedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a prompt whose variables have been filled in."""

    role: Literal["system", "user", "assistant"]
    content: str


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client gave where it gave no prompt file: the text, or the messages, in its own words.

    `title` is what the client calls the prompt; `config` and `tags` are the application's, and mean nothing here.
    """

    kind: Literal["text", "chat"]
    prompt: Any
    title: str = ""
    config: Any = {}
    tags: tuple[str, ...] = ()
    message: str = ""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A name that points to one version of a prompt, and is moved from one to the next."""

    name: str
    label: str
    version: int
    set_ns: int
    set_by: str


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of a prompt. The newest version of a name is in force.

    `source` is a sound prompt file always; where a client gave something else, that is `said`, and `source` says the same.
    """

    id: str
    project: str
    name: str
    version: int
    hash: str
    path: str  # beside flyball.yaml, so that an export writes the file back
    source: str
    created_ns: int
    created_by: str
    said: Said | None = None


def source_hash(source: str, said: Said | None = None) -> str:
    """The hash by which a version with this source, and what was said in its place, is known."""
    return bytes_hash(source.encode() if said is None else msgspec.json.encode((source, said), order="sorted"))
