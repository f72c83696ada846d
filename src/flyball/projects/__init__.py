"""Tenants, their members and roles, and the keys by which programs call.

Members and keys have a role in a project, and a role is a set of permissions (`projects.roles`). Verbs are in
`projects.tenants`, `projects.members`, `projects.own_roles` and `projects.keys`. How people prove who they are is the room `identity`.
"""

from .errors import KeyNotFoundError, NameTakenError
from .key_records import ActiveKey, Key, MadeKey
from .records import Member

__all__ = ["ActiveKey", "Key", "KeyNotFoundError", "MadeKey", "Member", "NameTakenError"]
