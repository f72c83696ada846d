"""Reading a flyball.yaml and the files that it names, on the machine of whoever runs the command. Light.

Only files inside the folder of flyball.yaml are read: no absolute path, no `..`, no link that leads out. What is wrong
with the file itself, the server says, with line and column; here nothing more is read than what is named.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from flyball.functions.references import module_path

from . import tree
from .errors import ConfigurationError
from .records import Bundle, Problem

DEFAULT_FILE = "flyball.yaml"
LARGEST_FILE = 8 * 1024 * 1024


def bundle(path: Path) -> Bundle:
    """The file and those that it names. Raises ConfigurationError where it cannot be read or is not YAML."""
    if path.is_dir():
        path /= DEFAULT_FILE
    text, problem = _read(path)
    if problem:
        next_step = "name the file: `flyball apply FILE`" if not path.exists() else ""
        raise ConfigurationError([Problem(file=str(path), message=problem, next_step=next_step)])
    value = tree.parse(text, path.name).value
    root = path.resolve().parent
    files: dict[str, str] = {}
    unread: dict[str, str] = {}
    for name in dict.fromkeys(named_files(value)):
        content, problem = _read_inside(root, name)
        if problem:
            unread[name] = problem
        else:
            files[name] = content
    return Bundle(text=text, path=path.name, root=str(root), files=files, unread=unread)


def named_files(value: Any) -> Iterator[str]:
    """The files that a configuration names, whatever else may be wrong with it."""
    for prompt in _mappings(value, "prompts"):
        if isinstance(file := prompt.get("file"), str):
            yield file
    for function in _mappings(value, "functions"):
        for variant in _mappings(function, "variants"):
            if variant.get("kind") == "rules" and isinstance(code := variant.get("code"), str):
                yield module_path(code.partition(":")[0])
    for dataset in _mappings(value, "datasets"):
        if isinstance(location := dataset.get("import"), str) and is_captured(location):
            yield location


def is_captured(location: str) -> bool:
    """Whether a dataset's import is a file whose bytes travel with the configuration."""
    return location.endswith(".jsonl") and not location.startswith("/")


def unsafe(name: str) -> str:
    """Why a path may not be named in flyball.yaml; empty: it may."""
    path = PurePosixPath(name)
    if not name or "\\" in name or "\0" in name:
        return f"{name!r} is no path of a file"
    if path.is_absolute() or name.startswith("~"):
        return f"{name!r} is not inside the folder of flyball.yaml"
    if ".." in path.parts:
        return f"{name!r} leads out of the folder of flyball.yaml"
    return ""


def _read_inside(root: Path, name: str) -> tuple[str, str]:
    if problem := unsafe(name):
        return "", problem
    path = root / name
    if not path.resolve().is_relative_to(root):
        return "", f"{name!r} is a link that leads out of the folder of flyball.yaml"
    return _read(path)


def _read(path: Path) -> tuple[str, str]:
    """The text of a file, or why there is none."""
    try:
        if not path.is_file():
            return "", f"there is no file {path.name if path.parent.name == '' else path}"
        if (size := path.stat().st_size) > LARGEST_FILE:
            return "", f"the file has {size:,} bytes; the most is {LARGEST_FILE:,}"
        return path.read_bytes().decode(), ""
    except UnicodeDecodeError as error:
        return "", f"the file is not UTF-8 text (byte {error.start})"
    except (OSError, ValueError) as error:
        return "", f"the file cannot be read: {getattr(error, 'strerror', None) or error}"


def _mappings(value: Any, name: str) -> Iterator[dict[str, Any]]:
    section = value.get(name) if isinstance(value, dict) else None
    if isinstance(section, dict):
        yield from (item for item in section.values() if isinstance(item, dict))
