"""A model of the catalog: where it is reached, what it costs, under which licence.

Secrets never stand here: `api_key` is a reference (`env:NAME`) that `endpoints` resolves at the last moment.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from flyball.kit.hashing import content_hash

Provider = Literal["openai-compatible"]
Amount: TypeAlias = str | int | float


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One place that answers for the model. `base_url` is a URL or `env:NAME`; `api_key` is `env:NAME` or empty."""

    provider: Provider
    base_url: str
    model: str
    api_key: str = ""
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """USD per million tokens, as a person writes them.

    Unset prices of caching and audio follow `input`, of an hour's caching `cache_write`, of spoken answers `output`; reasoning
    costs what output costs.
    """

    input: Amount
    output: Amount
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    cache_write_1h: Amount | None = None
    audio_input: Amount | None = None
    audio_output: Amount | None = None


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What flyball.yaml says about a model."""

    endpoints: Annotated[tuple[Endpoint, ...], msgspec.Meta(min_length=1)]
    prices: Prices | None = None
    licence: str = ""
    description: str = ""

    @property
    def hash(self) -> str:
        """The content hash of the declaration."""
        return content_hash(self)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of a model. The newest version of a name is what callers get."""

    id: str
    project: str
    name: str
    version: int
    hash: str
    spec: ModelSpec
    created_ns: int
    created_by: str
