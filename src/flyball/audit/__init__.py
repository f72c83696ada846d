"""The chained record of who did what to which object.

Every change appends one event to its project's chain, in the same transaction; each event's hash covers the one before it,
so that a change, a deletion or a reordering anywhere shows. The server signs where each chain stands from time to time.
Contents are not kept here, only salted commitments to them. Verbs are in `audit.service`.
"""

from .records import Checkpoint, Event, Finding, Head, SignedCheckpoint, Verification, Wanted

__all__ = ["Checkpoint", "Event", "Finding", "Head", "SignedCheckpoint", "Verification", "Wanted"]
