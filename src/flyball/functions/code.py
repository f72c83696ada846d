"""The operator's rules code: what is captured at apply, and how exactly these bytes are loaded.

Code never arrives with a request. Its bytes lie in blobs under their hash; a process that needs them writes them to
`<data>/code/<hash>/<module>.py`, checks the hash and imports that file under a name of its own. One module is one file:
it may import the standard library and installed packages, not its neighbours.
"""

import ast
import difflib
import importlib.util
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from flyball.infra.blobs.store import Blobs
from flyball.kit.hashing import bytes_hash

from .errors import DeclarationError, VariantFailedError
from .references import Reference

LARGEST_MODULE = 1024 * 1024


def check_source(reference: Reference, sources: Mapping[str, bytes]) -> None:
    """Prove, without running it, that the module is there, is Python, and defines the function.

    Raises:
        DeclarationError: naming the file, the line, and what is wrong.
    """
    source = sources.get(reference.module)
    if source is None:
        raise DeclarationError(
            f"there is no file {reference.path}", next_step=f"put {reference.path} beside flyball.yaml"
        )
    if len(source) > LARGEST_MODULE:
        raise DeclarationError(f"{reference.path} has {len(source)} bytes; the most is {LARGEST_MODULE}")
    try:
        tree = ast.parse(source, reference.path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise DeclarationError(f"{reference.path}{line} is not Python: {getattr(error, 'msg', error)}") from None
    names = _top_level_names(tree)
    if reference.function not in names:
        near = difflib.get_close_matches(reference.function, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DeclarationError(f"{reference.path} defines no {reference.function!r}{hint}")
    if isinstance(names[reference.function], ast.AsyncFunctionDef):
        line = names[reference.function].lineno
        raise DeclarationError(
            f"{reference.path}:{line}: {reference.function!r} is async; rules are plain functions",
            next_step="write `def`",
        )


def _top_level_names(tree: ast.Module) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = node
        elif isinstance(node, ast.Assign):
            names |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name: node for alias in node.names}
    return names


class CodeFolder:
    """Loads captured modules, each once per process. `folder` holds the written files; it may be deleted at any time."""

    def __init__(self, folder: Path, blobs: Blobs) -> None:
        self._folder = folder
        self._blobs = blobs
        self._modules: dict[tuple[str, str], ModuleType] = {}
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

    def load(self, reference: Reference, hash_: str) -> Any:
        """The function itself. Runs the module's code on first use: call it where the operator's code may run.

        Raises:
            VariantFailedError: the blob is gone, or the module lacks the function.
        """
        key = (reference.module, hash_)
        with self._locks[key]:  # one module's slow import holds up no other's
            module = self._modules.get(key)
            if module is None:
                module = self._modules[key] = self._import(reference, hash_)
        function = getattr(module, reference.function, None)
        if not callable(function):
            raise VariantFailedError(f"{reference.path} ({hash_}) defines no function {reference.function!r}")
        return function

    def _import(self, reference: Reference, hash_: str) -> ModuleType:
        path = self._file(reference, hash_)
        name = f"flyball_rules_{hash_.removeprefix('sha256:')[:16]}_{reference.module.replace('.', '_')}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise VariantFailedError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickling look a class's module up there
        try:
            spec.loader.exec_module(module)
        except BaseException:  # -- whatever the operator's code raised goes on; only the half-made module is taken back
            del sys.modules[name]
            raise
        return module

    def _file(self, reference: Reference, hash_: str) -> Path:
        """The module's file with exactly the captured bytes."""
        path = self._folder / hash_.removeprefix("sha256:") / f"{reference.module}.py"
        if path.is_file() and bytes_hash(path.read_bytes()) == hash_:
            return path
        data = self._blobs.get(hash_)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        unfinished.write_bytes(data)
        unfinished.replace(path)
        return path
