"""Whether this process can run a pinned variant now, and if not, why. Light: the gateway asks it, too."""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.models import endpoints
from flyball.models.records import ModelSpec

from .records import PinnedVariant


def with_availability(variant: PinnedVariant, environment: Mapping[str, str] | None = None) -> PinnedVariant:
    """The variant, told whether this process can run it."""
    reason = unavailable_reason(variant.spec, environment)
    return msgspec.structs.replace(variant, available=not reason, unavailable_reason=reason)


def unavailable_reason(spec: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> str:
    """What is missing: an index version, a model's configuration. Empty: nothing."""
    retrieval = spec.get("retrieval")
    if retrieval is not None and retrieval.get("version") is None:
        return f"the index {retrieval['index']!r} has no version yet; run `flyball index build {retrieval['index']}`"
    if (model := spec.get("model")) is not None:
        return endpoints.unavailable_reason(model["name"], msgspec.convert(model["spec"], ModelSpec), environment)
    return ""
