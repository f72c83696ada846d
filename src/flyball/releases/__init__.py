"""Releases: what serves a function - variants' hashes, shares, evidence, approvals. Immutable.

Rolling back is a new release that names an old one. Verbs live in `releases.service`; what the gate asks of evidence in
`releases.gate`.
"""

from .errors import GateRefusedError, NotApprovedError, ReleaseNotFoundError
from .records import Approval, Bundle, Evidence, Release, ReleaseDetail, Share

__all__ = [
    "Approval",
    "Bundle",
    "Evidence",
    "GateRefusedError",
    "NotApprovedError",
    "Release",
    "ReleaseDetail",
    "ReleaseNotFoundError",
    "Share",
]
