"""Whether the official npm clients are here, as `scripts/install dev` installs them from the lock."""

import hashlib
import shutil
from functools import cache
from pathlib import Path

NODE = Path(__file__).parent / "node"


@cache
def absence():
    """Why they cannot be run; empty where they can."""
    if not shutil.which("node"):
        return "node is not installed here"
    stamp = NODE / "node_modules" / ".installed"
    if not stamp.exists():
        return "the npm clients are not installed"
    if stamp.read_text().strip() != hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest():
        return "the npm clients that are installed are not those of package-lock.json"
    return ""
