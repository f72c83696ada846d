"""The one name by which each public object is known, and its other names.

`asyncio.gather` is defined in `asyncio.tasks`, `TestCase` in `unittest.case`, `open` in `io`: an object is a document
once, under the name that a programmer would write. Knows nothing of docstrings.
"""

import inspect
from types import BuiltinFunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

_IMPLEMENTED_IN = {"posix": "os", "nt": "os", "posixpath": "os.path", "genericpath": "os.path"}


class Name(NamedTuple):
    """A public object: the module and the name under which it is known, and the other full names."""

    module: str
    name: str
    value: Any
    aliases: tuple[str, ...]

    @property
    def title(self) -> str:
        """The full name; builtins stand without their module."""
        return _full(self.module, self.name)


def canonical_names(modules: dict[str, ModuleType]) -> list[Name]:
    """Every public class and function once, sorted by title."""
    candidates: dict[int, list[tuple[str, str, Any]]] = {}
    for module_name, module in modules.items():
        for name, value in _public_members(module_name, module):
            candidates.setdefault(id(value), []).append((module_name, name, value))
    chosen = []
    for names in candidates.values():
        names.extend(_in_packages_above(modules, names))
        module_name, name, value = min(names, key=_preference)
        aliases = sorted({_full(m, n) for m, n, _ in names} - {_full(module_name, name)})
        chosen.append(Name(module_name, name, value, tuple(aliases)))
    return sorted(chosen, key=lambda entry: entry.title)


def _in_packages_above(modules: dict[str, ModuleType], names: list[tuple[str, str, Any]]) -> list[tuple[str, str, Any]]:
    """Where a package offers an object of a module below it without listing it: `asyncio.TaskGroup` in 3.11."""
    known = {(module, name) for module, name, _ in names}
    found = []
    for module, name, value in names:
        package = module.rpartition(".")[0]
        while package:
            if (package, name) not in known and getattr(modules.get(package), name, None) is value:
                found.append((package, name, value))
                known.add((package, name))
            package = package.rpartition(".")[0]
    return found


def defining_module(value: Any) -> str:
    """The module that defines an object, by the name that the public knows: `_io` is `io`, `posix` is `os`."""
    module = getattr(value, "__module__", None)
    if not isinstance(module, str):
        owner = getattr(value, "__self__", None)  # a bound method of a hidden instance: the instance's module
        module = type(owner).__module__ if owner is not None else ""
    public = ".".join(part.lstrip("_") for part in module.split("."))
    return _IMPLEMENTED_IN.get(public, public)


def _public_members(module_name: str, module: ModuleType) -> list[tuple[str, Any]]:
    listed = getattr(module, "__all__", None)
    found = []
    for name in sorted(set(listed) if listed is not None else set(vars(module))):
        if name.startswith("_"):
            continue
        value = getattr(module, name, None)
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        if listed is not None or module_name == "builtins" or _belongs(module_name, value):
            found.append((name, value))
    return found


def _belongs(module_name: str, value: Any) -> bool:
    """Without `__all__`, what a module only imported is not its own."""
    defined = defining_module(value)
    return defined in (module_name, module_name.rpartition(".")[2]) or (
        isinstance(value, BuiltinFunctionType | MethodType) and defined == ""
    )


def _preference(candidate: tuple[str, str, Any]) -> tuple[bool, bool, bool, int, int, str]:
    module, name, value = candidate
    defined = defining_module(value)
    related = defined == module or defined.startswith(f"{module}.") or defined.split(".")[0] == module.split(".")[0]
    renamed = name != getattr(value, "__name__", name)
    return (module != "builtins", not related, renamed, module.count("."), len(module) + len(name), f"{module}.{name}")


def _full(module: str, name: str) -> str:
    return name if module == "builtins" else f"{module}.{name}"
