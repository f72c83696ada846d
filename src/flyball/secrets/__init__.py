"""Secrets: what a project's models are called with, kept encrypted and told to nobody.

A secret has a name, a version and the hosts to which it may be sent. People and programs write it; only flyball's own calls
read it. Models refer to it as `secret:NAME`. Verbs are in `secrets.service`, exchanging keys in `secrets.rotation`.
"""

from .errors import SecretInvalidError, SecretNotFoundError
from .records import StoredSecret, Use

__all__ = ["SecretInvalidError", "SecretNotFoundError", "StoredSecret", "Use"]
