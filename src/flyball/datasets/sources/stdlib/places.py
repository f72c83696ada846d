"""Where the objects of the standard library are defined: file and line, and the comment above. Reads source files."""

import inspect
import itertools
import platform
import re
import sys
import sysconfig
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


class Places:
    """Where objects are defined: the file relative to the library's folder, and the line."""

    def __init__(self) -> None:
        self._root = Path(sysconfig.get_path("stdlib"))
        self._version = f"python-{platform.python_version()}"
        self._lines: dict[str, list[str]] = {}

    def of_module(self, module: ModuleType) -> str:
        """`python-<version>/<file>:1`."""
        file = getattr(module, "__file__", None) or ""
        return self._shown(file, 1) if file.endswith(".py") else self._built_in(module.__name__)

    def of(self, value: Any) -> str:
        """`python-<version>/<file>:<line>`, or the module for what is compiled."""
        file, line = self._definition(value)
        if file:
            return self._shown(file, line)
        owner = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", None)
        return self._built_in(owner or "builtins")

    def comment_above(self, value: Any) -> str:
        """The lines of comment directly above a definition: what `help` shows where there is no docstring."""
        file, line = self._definition(value)
        lines = self._read(file)[: line - 1] if file else []
        above = list(itertools.takewhile(lambda text: text.startswith("#"), (text.strip() for text in reversed(lines))))
        words = (text.strip("# ") for text in reversed(above))
        return "\n".join(text for text in words if re.search(r"\w", text))

    def _definition(self, value: Any) -> tuple[str, int]:
        unwrapped = inspect.unwrap(value) if callable(value) else value
        code = getattr(getattr(unwrapped, "__func__", unwrapped), "__code__", None)
        module = sys.modules.get(getattr(value, "__module__", None) or "")
        file = getattr(module, "__file__", None) or ""
        if isinstance(code, CodeType):
            frozen = code.co_filename.startswith("<")
            return (file if frozen else code.co_filename, code.co_firstlineno)
        if inspect.isclass(value) and file.endswith(".py"):
            opening = re.compile(rf"[ \t]*class {re.escape(value.__name__)}\b")
            for number, text in enumerate(self._read(file), 1):
                if opening.match(text):
                    return file, number
        return "", 0

    def _shown(self, file: str, line: int) -> str:
        path = Path(file)
        shown = path.relative_to(self._root) if path.is_relative_to(self._root) else Path(path.name)
        return f"{self._version}/{shown.as_posix()}:{line}"

    def _built_in(self, module: str) -> str:
        return f"{self._version}/{module} (built in)"

    def _read(self, file: str) -> list[str]:
        if file not in self._lines:
            path = Path(file)
            exists = path.is_file()
            self._lines[file] = path.read_text(encoding="utf-8", errors="replace").splitlines() if exists else []
        return self._lines[file]
