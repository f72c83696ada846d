"""Whether the package of the real provider is installed, beside the npm clients."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("npm_of_clients", Path(__file__).parents[1] / "clients" / "npm.py")
_npm = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_npm)
absence = _npm.absence
