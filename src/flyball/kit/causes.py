"""Why an HTTP client's request failed, in words. Knows the shape of pyreqwest's errors; imports nothing of it."""

from typing import Any


def last_cause(error: Exception) -> str:
    """The innermost cause that the error names (`Connection refused (os error 111)`), or the error's own words."""
    details: Any = error.args[1] if len(error.args) > 1 else None
    causes = details.get("causes") if isinstance(details, dict) else None
    return str(causes[-1]["message"]) if causes else str(error.args[0] if error.args else error)
