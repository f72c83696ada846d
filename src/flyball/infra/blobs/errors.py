"""What can go wrong with blobs.

FlyballError
├── NotFoundError
│   └── BlobMissingError   no such bytes in this store
├── BlobDamagedError       the stored bytes are not those that the hash names
└── UnavailableError
    └── BlobsAwayError     the store cannot be written or reached (a full disk, say)
"""

from flyball.kit.errors import FlyballError, NotFoundError, UnavailableError


class BlobMissingError(NotFoundError):
    """The store has no bytes of this hash."""

    code = "blob_missing"


class BlobDamagedError(FlyballError):
    """The stored bytes are not those that the hash names."""

    code = "blob_damaged"


class BlobsAwayError(UnavailableError):
    """The store cannot be written or reached; nothing half-written is left under the hash."""

    code = "blobs_away"
