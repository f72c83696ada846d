"""Which modules of the standard library are read, and which are not, with the reason. Knows nothing of their contents."""

import importlib
import pkgutil
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from flyball.datasets.records import Refusal

LEFT_OUT = {
    "__hello__": "prints when imported",
    "__phello__": "prints when imported",
    "antigravity": "opens a browser when imported",
    "this": "prints when imported",
    "encodings": "tables of characters behind `codecs`",
    "ensurepip": "an installer without an interface for programs",
    "genericpath": "the implementation of `os.path`",
    "idlelib": "a graphical program",
    "nt": "the implementation of `os` on another platform",
    "ntpath": "`os.path` on another platform",
    "nturl2path": "the implementation of `urllib.request` on another platform",
    "posix": "the implementation of `os`",
    "pydoc_data": "data of `pydoc`",
    "sre_compile": "deprecated: the implementation of `re`",
    "sre_constants": "deprecated: the implementation of `re`",
    "sre_parse": "deprecated: the implementation of `re`",
    "test": "the tests of the interpreter",
    "tkinter": "graphical",
    "turtle": "graphical",
    "turtledemo": "graphical",
}
_REMOVED = (  # from the language in 3.12 and 3.13 (PEP 594, PEP 632), so that every interpreter gives much the same
    "aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev "
    "pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib"
)
LEFT_OUT |= dict.fromkeys(_REMOVED.split(), "removed from the language by 3.13")
KNOWN_AS = {"posixpath": "os.path"}  # what everybody calls it


def public_modules() -> tuple[dict[str, ModuleType], list[Refusal]]:
    """Every public module by the name that it is known by, sorted, and what was left out."""
    modules: dict[str, ModuleType] = {}
    refusals: list[Refusal] = []
    for name in sorted(sys.stdlib_module_names):
        if name in LEFT_OUT:
            refusals.append(Refusal(location=name, reason="left-out", detail=LEFT_OUT[name]))
        elif not name.startswith("_"):
            _load(name, modules, refusals)
    return dict(sorted(modules.items())), refusals


def is_standard(module: ModuleType) -> bool:
    """Whether it is the standard library's own file, and not one of the same name elsewhere on the path."""
    file = getattr(module, "__file__", None)
    if file is None:
        return True  # built in or frozen
    return any(Path(file).is_relative_to(sysconfig.get_path(key)) for key in ("stdlib", "platstdlib"))


def _load(name: str, modules: dict[str, ModuleType], refusals: list[Refusal]) -> None:
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a module may fail in any way on this platform; it is reported
        detail = f"{type(error).__name__}: {error}"
        refusals.append(Refusal(location=name, reason="not-importable", detail=detail[:200]))
        return
    if not is_standard(module):
        detail = "a module of the same name hides the standard library's"
        refusals.append(Refusal(location=name, reason="hidden", detail=detail))
        return
    modules[KNOWN_AS.get(name, name)] = module
    for info in pkgutil.iter_modules(getattr(module, "__path__", None) or []):
        if not info.name.startswith("_") and info.name not in ("test", "tests"):
            _load(f"{name}.{info.name}", modules, refusals)
