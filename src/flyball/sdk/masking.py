"""The application's own eye on every text before it leaves: `configure(mask=...)`. It fails closed.

Knows a function from text to text, and where texts may hide in a value. Knows not what is sensitive.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from .texts import told
from .warning import warn_once

WITHHELD = "<withheld: the mask failed>"


class Mask:
    """What is sent in place of a text."""

    def __init__(self, function: Callable[[str], str] | None) -> None:
        self.function = function
        self.failed = 0

    def text(self, text: str) -> str:
        """A text as the mask lets it pass; nothing of it where the mask fails."""
        if self.function is None or not text:
            return text
        try:
            masked = self.function(text)
            if type(masked) is str:
                return told(masked)
            wrong = f"it returned a {type(masked).__name__}"
        except Exception as error:  # noqa: BLE001 -- somebody else's function; what it did not see does not leave
            wrong = repr(error)
        self.failed += 1
        warn_once(f"the mask failed ({wrong:.200}): texts are withheld", kind="mask")
        return WITHHELD

    def value(self, value: Any) -> Any:
        """A value with every text in it masked, the names in its objects as well."""
        if self.function is None:
            return value
        if isinstance(value, msgspec.Raw):
            value = msgspec.json.decode(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        return value
