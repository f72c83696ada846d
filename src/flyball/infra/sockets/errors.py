"""How asking another process goes wrong.

FlyballError
└── UnavailableError
    └── PeerError              the process on the other side of the socket did not answer
        ├── PeerAwayError      nobody listens there
        └── PeerCutError       the connection ended before the answer was complete
"""

from flyball.kit.errors import UnavailableError


class PeerError(UnavailableError):
    """Another process of flyball did not answer."""

    code = "peer_error"


class PeerAwayError(PeerError):
    """Nobody listens on the socket."""

    code = "peer_away"


class PeerCutError(PeerError):
    """The connection ended before the answer was complete."""

    code = "peer_cut"
