"""The syntax of prompt files, and their rendering in a sandbox. Knows neither versions nor storage.

A prompt file is front matter, then sections, one message each:

    ---
    variables: [question, passages]
    description: answers from passages
    ---
    --- system
    Answer from the passages alone.
    --- user
    {% for passage in passages %}[{{ loop.index }}] {{ passage.text }}
    {% endfor %}
    {{ question }}

A line `--- system`, `--- user` or `--- assistant` opens a section. Sections are cut before anything is rendered, so no
value can open one. A file without sections is one user message. The templates are what `sandbox` leaves of Jinja2.
Every variable that a template uses must be declared; every declared variable must be given.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast

import msgspec
import yaml
from jinja2 import Template, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes

from .errors import PromptTemplateError, PromptVariableError
from .records import RenderedMessage
from .sandbox import LARGEST_RENDERING, MOST_TAGS, Sandbox, refused

Role = Literal["system", "user", "assistant"]

LARGEST_SOURCE = 1024 * 1024
_LARGEST_FRONT_MATTER = 16 * 1024
_SECTION = re.compile(r"^--- *(system|user|assistant)[ \t]*$")
_LOOKS_LIKE_SECTION = re.compile(r"^--- *([A-Za-z]+)[ \t]*$")
_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]*$")


class _FrontMatter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    variables: list[str] | dict[str, str] = []
    description: str = ""


class Section(NamedTuple):
    """One message to be: its role, its text, and the file's line on which the text begins."""

    role: Role
    text: str
    line: int


class ParsedPrompt(NamedTuple):
    """A prompt file that is known to be sound: declared variables with their descriptions, and compiled sections."""

    description: str
    variables: dict[str, str]
    sections: tuple[Section, ...]
    templates: tuple[Template, ...]
    path: str


@lru_cache(maxsize=512)
def parse(source: str, path: str = "prompt") -> ParsedPrompt:
    """Read a prompt file and prove that it is sound.

    Raises:
        PromptTemplateError: naming the file, the line, and what is wrong there.
    """
    if len(source) > LARGEST_SOURCE:
        raise PromptTemplateError(path, 1, f"the file has {len(source)} characters; the most is {LARGEST_SOURCE}")
    if "\0" in source:
        line = source[: source.index("\0")].count("\n") + 1
        raise PromptTemplateError(path, line, "the file has a NUL character in it")
    if (tags := source.count("{%") + source.count("{{")) > MOST_TAGS:
        raise PromptTemplateError(path, 1, f"the file has {tags} tags; the most is {MOST_TAGS}")
    front, body, body_line = _split_front_matter(source.replace("\r\n", "\n"), path)
    variables = _declared(front, path)
    sections = _split_sections(body, body_line, path)
    for section in sections:
        _check_section(section, variables, path)
    templates = tuple(_ENVIRONMENT.from_string(section.text) for section in sections)
    return ParsedPrompt(front.description, variables, sections, templates, path)


def render(source: str, variables: Mapping[str, Any], path: str = "prompt") -> list[RenderedMessage]:
    """The conversation that the prompt makes of these variables. Undeclared ones are ignored.

    Raises:
        PromptTemplateError: the source is no sound prompt.
        PromptVariableError: a declared variable is missing, or a value does not fit the template.
    """
    prompt = parse(source, path)
    for name in prompt.variables:
        if name not in variables:
            raise PromptVariableError(
                f"{path} needs the variable {name!r}, which was not given", next_step=f"give {name!r} in the input"
            )
    given = {name: variables[name] for name in prompt.variables}
    left = LARGEST_RENDERING
    messages = []
    for section, template in zip(prompt.sections, prompt.templates, strict=True):
        content = _render_section(template, given, section, path, left)
        left -= len(content)
        messages.append(RenderedMessage(role=section.role, content=content))
    return messages


def _render_section(template: Template, given: dict[str, Any], section: Section, path: str, most: int) -> str:
    parts: list[str] = []
    try:
        for part in template.generate(given):
            parts.append(part)
            most -= len(part)
            if most < 0:
                break
    except UndefinedError as error:
        raise PromptVariableError(f"{path}, section {section.role} (line {section.line}): {error.message}") from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise PromptVariableError(
            f"{path}, section {section.role} (line {section.line}): {type(error).__name__}: {error}",
            next_step="check the values against what the template does with them",
        ) from error
    if most < 0:
        raise PromptVariableError(
            f"{path} grows beyond {LARGEST_RENDERING} characters", next_step="give shorter values, or fewer passages"
        )
    return "".join(parts).strip("\n")


def _split_front_matter(source: str, path: str) -> tuple[_FrontMatter, str, int]:
    lines = source.split("\n")
    if lines[0].rstrip() != "---":
        return _FrontMatter(), source, 1
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "---":
            front = _read_front_matter("\n".join(lines[1:number]), path)
            return front, "\n".join(lines[number + 1 :]), number + 2
    raise PromptTemplateError(path, 1, "the front matter that opens with --- is never closed by a line ---")


def _read_front_matter(text: str, path: str) -> _FrontMatter:
    if len(text) > _LARGEST_FRONT_MATTER:
        raise PromptTemplateError(path, 1, f"the front matter is longer than {_LARGEST_FRONT_MATTER} characters")
    try:
        return msgspec.convert(yaml.safe_load(text) or {}, _FrontMatter)
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line if error.problem_mark else 0) + 2
        raise PromptTemplateError(path, line, f"the front matter is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise PromptTemplateError(path, 2, f"the front matter is not YAML: {error}") from None
    except RecursionError:
        raise PromptTemplateError(path, 2, "the front matter nests too deeply") from None
    except msgspec.ValidationError as error:
        raise PromptTemplateError(
            path,
            2,
            f"the front matter is not understood: {error}",
            next_step="it has `variables` (a list of names) and `description`",
        ) from None


def _declared(front: _FrontMatter, path: str) -> dict[str, str]:
    variables = front.variables if isinstance(front.variables, dict) else dict.fromkeys(front.variables, "")
    for name in variables:
        if not _NAME.match(name):
            raise PromptTemplateError(
                path, 2, f"{name!r} is no name for a variable", next_step="use letters, digits and _, first a letter"
            )
    return variables


def _split_sections(body: str, first_line: int, path: str) -> tuple[Section, ...]:
    found: list[tuple[Role, int, list[str]]] = []
    before: list[tuple[int, str]] = []
    for number, line in enumerate(body.split("\n"), start=first_line):
        if match := _SECTION.match(line):
            found.append((cast("Role", match.group(1)), number + 1, []))
        elif match := _LOOKS_LIKE_SECTION.match(line):
            raise PromptTemplateError(
                path,
                number,
                f"{match.group(1)!r} is no role",
                next_step="open sections with --- system, --- user or --- assistant",
            )
        elif found:
            found[-1][2].append(line)
        else:
            before.append((number, line))
    if not found:
        if not body.strip():
            raise PromptTemplateError(
                path, first_line, "the prompt is empty", next_step="write at least one section, `--- user`"
            )
        return (Section("user", body, first_line),)
    for number, line in before:
        if line.strip():
            raise PromptTemplateError(
                path,
                number,
                "text before the first section belongs to no message",
                next_step="put `--- system` above it",
            )
    return tuple(Section(role, "\n".join(lines), line) for role, line, lines in found)


def _check_section(section: Section, variables: Mapping[str, str], path: str) -> None:
    try:
        tree = _ENVIRONMENT.parse(section.text)
        if found := min(refused(tree), default=None):
            raise PromptTemplateError(path, section.line + found.line - 1, found.message, next_step=found.next_step)
        _ENVIRONMENT.compile(tree)
        tree = _ENVIRONMENT.parse(section.text)  # compiling rewrites the tree
        undeclared = meta.find_undeclared_variables(tree) - set(variables)
    except TemplateSyntaxError as error:
        raise PromptTemplateError(
            path, section.line + error.lineno - 1, f"the template is broken: {error.message}"
        ) from None
    except (RecursionError, SyntaxError, MemoryError):  # SyntaxError: Python's own, of loops in loops in loops
        raise PromptTemplateError(path, section.line, "the template nests too deeply") from None
    if not undeclared:
        return
    uses = [(node.lineno, node.name) for node in tree.find_all(nodes.Name) if node.name in undeclared]
    line, name = min(uses, default=(1, min(undeclared)))
    declared = ", ".join(variables) or "none"
    raise PromptTemplateError(
        path,
        section.line + line - 1,
        f"the template uses the variable {name!r}, which is not declared (declared: {declared})",
        next_step=f"add {name!r} to `variables` in the front matter of {path}, or remove it from the template",
    )


_ENVIRONMENT = Sandbox()
