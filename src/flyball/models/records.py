"""A model of the catalog: where it is reached, what it costs, under which licence.

Secrets never stand here: `api_key` is a reference (`secret:NAME`, `env:NAME` and others) that `endpoints` resolves at the last moment.
"""

from typing import Annotated, TypeAlias

import msgspec

from flyball.kit.hashing import content_hash

Amount: TypeAlias = str | int | float


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One place that answers for the model. `provider` is a vendor of the catalog, `model` the name that it knows the model by.

    `base_url` is a URL or `env:NAME`, empty where the catalog knows it. Secrets are references or empty (`env:NAME`,
    `file:/path`, `cmd:NAME`, `vault:path#field`, `secret:NAME`): `api_key`, and for
    Bedrock `access_key_id`, `secret_access_key`, `session_token`, for Vertex `service_account`, whose variable holds the JSON of
    its key or the path of a file with it.
    """

    provider: str
    base_url: str = ""
    model: str
    api_key: str = ""
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1
    dialect: str = ""  # the one to speak of those that the vendor speaks; empty: the caller's, else the vendor's first
    region: str = ""
    project: str = ""
    location: str = ""
    api_version: str = ""
    organization: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    service_account: str = ""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor of the catalog: how it is spoken to, and what an endpoint there has to say.

    Of the settings in one entry of `needs`, one is needed. `base_url` is empty where the endpoint says it; `key_variable` is
    where the vendor's own clients look for the key.
    """

    name: str
    title: str
    dialects: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    base_url: str
    key_variable: str
    docs: str


class Prices(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, cache_hash=True
):
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
