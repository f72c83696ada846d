"""A prompt with `{{variables}}` as others write it, a text or messages, said as a prompt file. Knows both notations, no version.

What is no variable's name stays text, as their clients leave it. Two things have no equal in a prompt file: a place for whole messages
becomes one message of the user that holds what is given, and a role that is none of ours becomes the nearest one. The file's
description says so.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .errors import PromptTemplateError
from .records import Said

_VARIABLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_OPENS = re.compile(r"\{[{%#]")  # what the templates of prompt files would read as their own
_SECTION = re.compile(r"^---(?= *[A-Za-z]+[ \t]*$)", re.MULTILINE)
_RESERVED = frozenset(
    {"loop", "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"}
)
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "model": "assistant"}
_OUR_ROLES = ("system", "user", "assistant")


class _Turn(NamedTuple):
    role: str
    content: str
    note: str = ""


def as_source(said: Said) -> str:
    """The prompt file that says the same. Raises PromptTemplateError for what is neither a text nor messages."""
    turns = [_Turn("user", _text(said.prompt))] if said.kind == "text" else list(_turns(said.prompt))
    if not turns:
        raise PromptTemplateError("the prompt", 1, "it has no messages", next_step="give at least one")
    names = {name: None for turn in turns for name in variables(turn.content)}
    notes = [turn.note for turn in turns if turn.note]
    front = f"---\nvariables: {json.dumps(list(names))}\ndescription: {json.dumps('; '.join(notes))}\n---\n"
    return front + "".join(f"--- {turn.role}\n{_escaped(turn.content)}\n" for turn in turns)


def variables(text: str) -> Iterator[str]:
    """The names in double braces that can be a variable's, in order, each as often as it is there."""
    for found in _VARIABLE.finditer(text):
        if _is_variable(name := found[1].strip()):
            yield name


def _is_variable(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name not in _RESERVED


def _turns(messages: Any) -> Iterator[_Turn]:
    if not isinstance(messages, list):
        raise PromptTemplateError("the prompt", 1, "the messages of a chat are a list")
    for number, message in enumerate(messages, 1):
        if not isinstance(message, Mapping):
            raise PromptTemplateError("the prompt", 1, f"message {number} is no object with role and content")
        if message.get("type") == "placeholder":
            yield _placeholder(_text(message.get("name")), number)
            continue
        role = message.get("role")
        if not isinstance(role, str) or not role:
            raise PromptTemplateError("the prompt", 1, f"message {number} has no role")
        ours = _ROLES.get(role, "user")
        note = "" if role in _OUR_ROLES else f"message {number} is of the role {role!r:.40}, here {ours}"
        yield _Turn(ours, _text(message.get("content")), note)


def _placeholder(name: str, number: int) -> _Turn:
    if not _is_variable(name):
        raise PromptTemplateError(
            "the prompt",
            1,
            f"message {number} is a placeholder whose name {name!r:.60} can be no variable's",
            next_step="use letters, digits and _, first a letter",
        )
    return _Turn("user", "{{" + name + "}}", f"message {number} is a place for messages, {name!r:.60}, here one text")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PromptTemplateError("the prompt", 1, f"{value!r:.60} is no text")
    return value


def _escaped(text: str) -> str:
    parts, last = [], 0
    for found in _VARIABLE.finditer(text):
        if _is_variable(name := found[1].strip()):
            parts += [_literal(text[last : found.start()]), "{{ " + name + " }}"]
            last = found.end()
    parts.append(_literal(text[last:]))
    return _SECTION.sub('{{ "---" }}', "".join(parts).replace("\r\n", "\n"))


def _literal(text: str) -> str:
    """Text in which nothing is the template's; a brace at its end could open something with what follows."""
    text = _OPENS.sub(lambda found: '{{ "' + found[0] + '" }}', text)
    return text[:-1] + '{{ "{" }}' if text.endswith("{") else text
