"""Notifications: telling people and programs outside what happens here, by webhook or e-mail.

A receiver is an address that a project (or an organisation) wants told. Whoever has something to tell writes it in the transaction in
which it became true (`telling.tell`); it is sent from there, again and again until it has arrived or is given up.
"""

from .errors import ReceiverInvalidError, ReceiverNotFoundError
from .records import Notice, Receiver

__all__ = ["Notice", "Receiver", "ReceiverInvalidError", "ReceiverNotFoundError"]
