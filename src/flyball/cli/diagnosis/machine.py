"""Python, the installed extras, the limits of the process. Needs the base install alone."""

import platform
import re
import resource
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from .finding import Finding, failed, ok, warning

_OLDEST = (3, 11)
_NEWEST = (3, 13)
_FEW_FILES = 4096
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[^]]*])?[^;]*;\s*extra\s*==\s*['\"](?P<extra>\w+)['\"]")


def check_python() -> Finding:
    """A Python that flyball is tested with."""
    found = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    if sys.version_info[:2] < _OLDEST:
        return failed("python", found, "install Python 3.11 to 3.13 and make the environment anew")
    if sys.version_info[:2] > _NEWEST:
        return warning(
            "python", found, "flyball is tested with Python 3.11 to 3.13; use one of them if something is odd"
        )
    return ok("python", found)


def check_extras() -> Finding:
    """The libraries of the `server` extra, which `flyball up` needs."""
    try:
        ours = version("flyball")
        listed = requires("flyball") or []
    except PackageNotFoundError:
        return failed("installation", "flyball is run from a folder, not installed", "pip install 'flyball[server]'")
    needed = [match["name"] for text in listed if (match := _REQUIREMENT.match(text)) and match["extra"] == "server"]
    missing = sorted(name for name in needed if not _installed(name))
    if missing:
        return failed(
            "installation",
            f"flyball {ours}; missing for `flyball up`: {', '.join(missing)}",
            "pip install 'flyball[server]'",
        )
    return ok("installation", f"flyball {ours} with the {len(needed)} libraries of the extra `server`")


def check_open_files() -> Finding:
    """How many files and connections one process may hold; `flyball up` takes all that it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return ok("open files", "no limit")
    found = f"at most {hard} per process"
    if hard < _FEW_FILES:
        return warning(
            "open files", found, f"let the system allow {_FEW_FILES} (`ulimit -Hn`), for many callers at once"
        )
    return ok("open files", found)


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
