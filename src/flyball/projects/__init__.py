"""Tenants, their members, and the keys by which programs call.

A member signs in by a one-time link or a password and gets a session; a program presents a key. Both have a role, and
a role is a set of permissions (`projects.roles`). Verbs are in `projects.keys`, `projects.members`
and `projects.sign_in`.
"""

from .errors import KeyNotFoundError, NameTakenError, SignInRefusedError
from .key_records import ActiveKey, Key, MadeKey
from .records import MadeLink, Member, Session, SignedIn

__all__ = [
    "ActiveKey",
    "Key",
    "KeyNotFoundError",
    "MadeKey",
    "MadeLink",
    "Member",
    "NameTakenError",
    "Session",
    "SignInRefusedError",
    "SignedIn",
]
