"""Those who answer, one file per way of reaching them. A provider knows addresses, keys and wires, and no noun of flyball."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from flyball.llm.catalog import vendor

if TYPE_CHECKING:
    from .protocol import Provider

# One line per way of reaching models: the catalog's entries name them. Loaded when a model first needs it.
PROVIDERS: Mapping[str, str] = {
    "keyed": "flyball.llm.providers.keyed",
    "vertex": "flyball.llm.providers.vertex",
    "bedrock": "flyball.llm.providers.bedrock",
}


@cache
def provider_for(name: str) -> "Provider":
    """Who reaches the models of a vendor. Raises UnknownVendorError."""
    return cast("Provider", import_module(PROVIDERS[vendor(name).provider]).PROVIDER)
