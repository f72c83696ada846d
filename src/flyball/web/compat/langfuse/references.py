"""Prompts that name other prompts: `@@@langfusePrompt:name=greeting|label=production@@@` is filled in with what that one says.

Knows the notation and its bounds; how a prompt is found is given.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

from flyball.kit.errors import InvalidInputError

_TAG = re.compile(r"@@@langfusePrompt:(.*?)@@@", re.DOTALL)
_DEEPEST = 5
_MOST = 200  # of all together
_LONGEST = 4 * 1024 * 1024

Finder: TypeAlias = Callable[[Any, str, int | None, str], Awaitable[Any]]


class _Named(NamedTuple):
    name: str
    version: int | None
    label: str


async def with_references(ctx: Any, prompt: Any, find: Finder) -> Any:
    """A text, or messages, with every reference filled in.

    Raises:
        InvalidInputError: a reference that is none, names messages, or leads round in a circle.
    """
    filling = _Filling(ctx, find)
    if isinstance(prompt, str):
        return await filling.fill(prompt, ())
    return [
        {**message, "content": await filling.fill(message["content"], ())}
        if isinstance(message.get("content"), str)
        else message
        for message in prompt
    ]


class _Filling:
    """One prompt being filled in, and how much of it there is so far."""

    def __init__(self, ctx: Any, find: Finder) -> None:
        self._ctx = ctx
        self._find = find
        self._done = 0

    async def fill(self, text: str, inside: tuple[_Named, ...]) -> str:
        """The text with its references filled in; `inside` are those that led here."""
        parts, last = [], 0
        for tag in _TAG.finditer(text):
            named = _read(tag[1])
            self._check(named, inside)
            found = await self._find(self._ctx, *named)
            if not isinstance(found, str):
                raise _refused(f"{named.name!r:.100} is a chat; only a text can stand inside another prompt")
            parts += [text[last : tag.start()], await self.fill(found, (*inside, named))]
            last = tag.end()
        whole = "".join([*parts, text[last:]])
        if len(whole) > _LONGEST:
            raise _refused(f"with its references the prompt has more than {_LONGEST:,} characters")
        return whole

    def _check(self, named: _Named, inside: tuple[_Named, ...]) -> None:
        self._done += 1
        if named in inside:
            raise _refused(f"{named.name!r:.100} leads back to itself")
        if len(inside) >= _DEEPEST or self._done > _MOST:
            raise _refused(f"references lie more than {_DEEPEST} deep, or are more than {_MOST}")


def _read(tag: str) -> _Named:
    said = dict(part.partition("=")[::2] for part in tag.split("|"))
    name, version = said.get("name", "").strip(), said.get("version", "").strip()
    if not name or (version and not version.isdecimal()) or len(version) > 9:
        raise _refused(f"{tag!r:.100} names no prompt")
    return _Named(name, int(version) if version else None, said.get("label", "").strip())


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError(
        f"a reference in the prompt: {message}", next_step="correct it, or ask with resolve=false for the text as it is"
    )
