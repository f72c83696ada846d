"""Roles and what they permit, as one table. A permission is `<noun>.<deed>`; `*` is all of them.

Deeds: `read`, `write`, and where it takes somebody else's eyes, `approve`. `gateway.call` is the right to call models and
functions through `/v1`. A project's own roles are sets of the same permissions; who gives a role has all that it gives.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from flyball.kit.permits import permits

NOUNS = (
    "budgets",
    "configuration",
    "datasets",
    "evaluations",
    "functions",
    "indexes",
    "ledger",
    "limits",
    "models",
    "prompts",
    "releases",
    "runs",
    "scores",
    "traces",
)
# Who may do what, who did, and what is kept from whom.
GUARDED_NOUNS = (
    "audit",
    "keys",
    "members",
    "organisations",
    "projects",
    "providers",
    "roles",
    "secrets",
    "sessions",
)

_READ = frozenset(f"{noun}.read" for noun in NOUNS)
_BY_ITSELF = {
    "runs",
    "ledger",
}  # runs are asked for by what they make; of the ledger only an owner repairs what counts it
_WRITE = frozenset(f"{noun}.write" for noun in NOUNS if noun not in _BY_ITSELF)
_SEES_WHO = frozenset({"members.read", "roles.read", "projects.read"})

PERMISSIONS: frozenset[str] = (
    _READ
    | _WRITE
    | {f"{noun}.{deed}" for noun in GUARDED_NOUNS for deed in ("read", "write")}
    | {"gateway.call", "health.read", "ledger.write", "releases.approve", "security.read", "traces.erase"}
)

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "owner": frozenset({"*"}),
        "maintainer": _READ
        | _WRITE
        | _SEES_WHO
        | {
            "gateway.call",
            "health.read",
            "keys.read",
            "keys.write",
            "secrets.read",
            "audit.read",
            "security.read",
            "traces.erase",
        },
        "reviewer": _READ | _SEES_WHO | {"scores.write", "releases.approve", "audit.read"},
        "viewer": _READ,
        "application": frozenset({"gateway.call", "traces.write", "scores.write", "prompts.read", "functions.read"}),
    }
)

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "owner": "everything, members, roles and secrets included",
        "maintainer": "makes and changes whatever the loop needs, calls models, makes keys, sets budgets and limits; approves nothing",
        "reviewer": "reads everything, judges answers, approves releases",
        "viewer": "reads",
        "application": "for keys: calls models and functions, sends traces and scores",
    }
)


def granted(role: str, grantor: frozenset[str]) -> frozenset[str]:
    """What the built-in role gives a key when somebody with `grantor` gives it: never more than they have themselves."""
    return cut(ROLES[role], grantor)


def cut(wanted: Iterable[str], most: frozenset[str]) -> frozenset[str]:
    """The permissions that both sides give. `*` and `<noun>.*` stand for what the other side has of them."""
    wanted = frozenset(wanted)
    return frozenset(one for one in wanted if permits(most, one)) | {one for one in most if permits(wanted, one)}


def exceeding(wanted: Iterable[str], grantor: frozenset[str]) -> tuple[str, ...]:
    """Which of the permissions somebody with `grantor` cannot give, sorted."""
    return tuple(sorted(one for one in wanted if not permits(grantor, one)))


def unknown(permissions: Iterable[str]) -> tuple[str, ...]:
    """Which of these are no permissions, sorted. `*` and `<noun>.*` are."""
    nouns = {one.partition(".")[0] for one in PERMISSIONS}
    return tuple(
        sorted(
            one
            for one in permissions
            if one != "*" and one not in PERMISSIONS and not (one.endswith(".*") and one[:-2] in nouns)
        )
    )
