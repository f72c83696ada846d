"""`env:NAME`: variables of the server's environment that models may name. flyball's own, and those of other systems, never."""

import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from flyball.kit.secrets import Secret

from .references import Found, Missing

# Whatever the list of allowed names says: our own settings, the tokens that open other stores, addresses with passwords in them.
_NEVER = re.compile(
    r"(FLYBALL|VAULT|BAO|PG|SSH|KRB5)[A-Z0-9]*(_.*)?|PGPASS.*|.*(DATABASE|POSTGRES|REDIS|MONGO)[A-Z]*_URL|.*_DSN",
    re.IGNORECASE,
)


def is_ours(name: str) -> bool:
    """Whether it is a variable of flyball's own settings."""
    return name.upper().startswith("FLYBALL_")


def from_environment(name: str, allowed: str, environment: Mapping[str, str] | None = None) -> Found | Missing:
    """What the variable holds, where its name fits one of the patterns in `allowed`, separated by commas."""
    if is_ours(name):
        return Missing(f"{name} is a setting of flyball's own, which is sent nowhere")
    patterns = [pattern.strip() for pattern in allowed.split(",")]
    if _NEVER.fullmatch(name) or not any(fnmatchcase(name, pattern) for pattern in patterns):
        return Missing(f"{name} is no variable that models may name (FLYBALL_SECRET_ENVIRONMENT lists them: {allowed})")
    value = (os.environ if environment is None else environment).get(name, "")
    return Found(Secret(value)) if value else Missing(f"{name} is not set")
