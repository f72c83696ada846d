"""The blobs of this room, which lie apart: they go with their spans, and the same bytes may belong to a model or a function too.

Knows where they lie; knows not what they hold.
"""

from flyball.infra.blobs.errors import BlobMissingError
from flyball.infra.blobs.store import Blobs
from flyball.infra.context import Context

_FOLDER = "traces"


def own_blobs(ctx: Context) -> Blobs:
    """Where texts of spans and files beside them are kept and deleted."""
    return ctx.blobs.apart(_FOLDER)


def read_blob(ctx: Context, hash_: str) -> bytes:
    """The bytes of a hash; those that were kept before blobs lay apart, too. Raises what `Blobs.get` raises."""
    try:
        return own_blobs(ctx).get(hash_)
    except BlobMissingError:
        return ctx.blobs.get(hash_)
