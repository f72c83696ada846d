"""How people prove who they are: one-time links, passwords, a second factor, sign-in providers, invitations, sessions.

Whose somebody is and what they may do is the room `projects`. Verbs are in modules by what they prove: `identity.sign_in`.
"""

from .errors import SignInRefusedError
from .records import MadeLink, Session, SignedIn

__all__ = ["MadeLink", "Session", "SignInRefusedError", "SignedIn"]
