"""HTTP over Unix sockets: how one process of flyball asks another."""

from .errors import PeerAwayError, PeerCutError, PeerError

__all__ = ["PeerAwayError", "PeerCutError", "PeerError"]
