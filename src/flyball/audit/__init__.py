"""The chained record of who did what to which object.

Every change appends one event, in the same transaction; each event's hash covers the one before it, so that a change,
a deletion or a reordering anywhere shows. Contents are not kept here, only salted commitments to them.
Verbs are in `audit.service`.
"""

from .records import Event, Head, Verification

__all__ = ["Event", "Head", "Verification"]
