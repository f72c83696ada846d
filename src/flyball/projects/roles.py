"""Roles and what they permit, as one table. A permission is `<noun>.<deed>`; `*` is all of them.

Deeds: `read`, `write`, and where it takes somebody else's eyes, `approve`. `gateway.call` is the right to call models and
functions through `/v1`.
"""

from flyball.infra.context import permits

NOUNS = (
    "configuration",
    "datasets",
    "evaluations",
    "functions",
    "indexes",
    "models",
    "prompts",
    "releases",
    "runs",
    "scores",
    "traces",
)
GUARDED_NOUNS = ("audit", "keys", "members", "projects", "sessions")  # who may do what, and who did

_READ = frozenset(f"{noun}.read" for noun in NOUNS)
_WRITE = frozenset(f"{noun}.write" for noun in NOUNS)

PERMISSIONS: frozenset[str] = (
    _READ
    | _WRITE
    | {f"{noun}.{deed}" for noun in GUARDED_NOUNS for deed in ("read", "write")}
    | {"gateway.call", "releases.approve"}
)

ROLES: dict[str, frozenset[str]] = {
    "administrator": frozenset({"*"}),
    "developer": _READ | _WRITE | {"gateway.call"},
    "reviewer": _READ | {"scores.write", "releases.approve", "audit.read"},
    "viewer": _READ,
    "application": frozenset({"gateway.call", "traces.write", "scores.write", "prompts.read", "functions.read"}),
}


def granted(role: str, grantor: frozenset[str]) -> frozenset[str]:
    """What the role gives when somebody with `grantor` gives it: never more than they have themselves."""
    wanted = ROLES[role]
    if "*" in wanted:
        return grantor
    return frozenset(permission for permission in wanted if permits(grantor, permission))
