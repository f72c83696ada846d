"""Whether this process can run a pinned variant now, and if not, why. Light: the gateway asks it, too."""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.models import reaching
from flyball.models.records import ModelSpec

from .records import PinnedVariant


async def with_availability(connection: Connection, ctx: Context, variant: PinnedVariant) -> PinnedVariant:
    """The variant, told whether this process can run it."""
    reason = missing_index(variant.spec)
    model = variant.spec.get("model")
    if not reason and model is not None:
        spec = msgspec.convert(model["spec"], ModelSpec)
        reason = await reaching.unavailable_reason(connection, ctx, model["name"], spec)
    return msgspec.structs.replace(variant, available=not reason, unavailable_reason=reason)


def missing_index(spec: Mapping[str, Any]) -> str:
    """Which index has to be built first; empty: none."""
    retrieval = spec.get("retrieval")
    if retrieval is not None and retrieval.get("version") is None:
        return f"the index {retrieval['index']!r} has no version yet; run `flyball index build {retrieval['index']}`"
    return ""
