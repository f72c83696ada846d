"""What can go wrong with releases.

FlyballError
├── NotFoundError
│   └── ReleaseNotFoundError       no release of that id in this project
├── InvalidInputError
│   └── SharesError                shares that are not whole percents summing to 100, or name an unknown variant
└── ConflictError
    ├── GateRefusedError           the evidence is missing, concerns other variants, or its verdict is not PASS
    ├── EvidenceAlteredError       a report or a bundle is not what its hash says; no reason overrides this
    ├── NotApprovedError           nobody approved the release as it is now
    ├── ApprovalLapsedError        the approval was signed for another bundle
    ├── ReleaseStateError          the release is in a state that does not allow this
    ├── LiveChangedError           another release went live since this one was proposed
    └── NothingToRollBackToError   no earlier release served this function
"""

from flyball.kit.errors import ConflictError, InvalidInputError, NotFoundError


class ReleaseNotFoundError(NotFoundError):
    """No release of that id in this project."""

    code = "release_not_found"

    def __init__(self, release_id: str) -> None:
        super().__init__(f"there is no release {release_id!r}", next_step="see `flyball release list`")


class SharesError(InvalidInputError):
    """Shares that are not whole percents summing to 100, or name an unknown variant."""

    code = "shares_invalid"


class GateRefusedError(ConflictError):
    """The evidence does not carry this release."""

    code = "gate_refused"


class EvidenceAlteredError(ConflictError):
    """A report or a bundle is not what its hash says."""

    code = "evidence_altered"


class NotApprovedError(ConflictError):
    """Nobody approved the release as it is now."""

    code = "not_approved"


class ApprovalLapsedError(ConflictError):
    """The approval was signed for another bundle."""

    code = "approval_lapsed"


class ReleaseStateError(ConflictError):
    """The release is in a state that does not allow this."""

    code = "release_state"


class LiveChangedError(ConflictError):
    """Another release went live since this one was proposed."""

    code = "live_changed"


class NothingToRollBackToError(ConflictError):
    """No earlier release served this function."""

    code = "nothing_to_roll_back_to"
