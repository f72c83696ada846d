"""A stored secret as people may see it, and what became of exchanged keys. No record here holds a value, sealed or open."""

import msgspec


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A model that refers to a secret, and the host to which it would send it."""

    model: str
    host: str


class StoredSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret without its value. `used_by` are the newest versions of models that refer to it."""

    name: str
    version: int
    hosts: tuple[str, ...]
    created_ns: int
    created_by: str
    used_by: tuple[Use, ...] = ()


class DataKeyRotation(msgspec.Struct, frozen=True, kw_only=True):
    """A project's new data key, and how many secrets were encrypted anew under it."""

    data_key: str
    secrets: int


class MasterKeyRotation(msgspec.Struct, frozen=True, kw_only=True):
    """The master key that wraps now, and how many data keys were wrapped anew."""

    master_key: str
    data_keys: int


class MasterKeyState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the master key comes from and which it is; `foreign` are ids that data keys need and this process lacks.

    `earlier`: data keys that an earlier master key wraps, until it is exchanged.
    """

    origin: str
    master_key: str
    data_keys: int
    earlier: int
    foreign: tuple[str, ...]
