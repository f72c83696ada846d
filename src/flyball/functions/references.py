"""`module:function`, the name of a rule. Light: the commands read it, too."""

import re
from typing import NamedTuple

from .errors import DeclarationError

_REFERENCE = re.compile(r"^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)$", re.ASCII)


class Reference(NamedTuple):
    """`module:function` as written in flyball.yaml."""

    module: str
    function: str

    @property
    def path(self) -> str:
        """The module's file, beside flyball.yaml."""
        return module_path(self.module)


def module_path(module: str) -> str:
    """The file of a module, beside flyball.yaml: `rules/ask.py` for `rules.ask`."""
    return module.replace(".", "/") + ".py"


def parse_reference(text: str) -> Reference:
    """Raises DeclarationError for what is not `module:function`."""
    match = _REFERENCE.match(text)
    if match is None:
        raise DeclarationError(
            f"{text!r:.100} is not `module:function`",
            next_step="write the file's name without .py, a colon, the function's name",
        )
    return Reference(match.group(1), match.group(2))
