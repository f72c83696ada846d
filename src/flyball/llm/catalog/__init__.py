"""The vendors, one TOML file each: where they are, how they know us, which dialects they speak, how they depart from them.

Facts alone: a provider acts on them. A file is read when its vendor is first asked for, and proven then.
"""

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Protocol

import msgspec

from flyball.kit.errors import InvalidInputError

from .quirks import Quirks


class Face(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One dialect as a vendor speaks it: paths behind its base URL, `{model}` standing for the model. Empty: not there.

    An endpoint's project, location, region and api_version may stand in a path as well.
    """

    path: str
    stream_path: str = ""  # where streams have a path of their own
    count_path: str = ""
    versioned_path: str = ""  # where the endpoint names an api_version
    models: tuple[str, ...] = ()  # patterns of the names of those that are spoken to in it; none: all
    first_for: tuple[str, ...] = ()  # patterns of those that are better asked in it than in the vendor's first
    key: tuple[str, str] | None = None  # where it differs from the vendor's
    headers: Mapping[str, str] = {}


class Place(Protocol):
    """What an address may depend on: settings of an endpoint."""

    @property
    def region(self) -> str: ...  # noqa: D102 -- as the endpoint's
    @property
    def location(self) -> str: ...  # noqa: D102 -- likewise
    @property
    def project(self) -> str: ...  # noqa: D102 -- likewise


class Hosted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models of another entry, which depart here as they do there. `prefix` is what their names have here in front, as a pattern."""

    vendor: str
    prefix: str = ""


class Vendor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry. `key` is the header that carries the API key, `{}` standing for it.

    `needs` are settings without a default, `a|b` where either will do. `base_urls` are those of locations whose address is not
    like the others'.
    `quirks` concern every model of the vendor, those of `models` the ones whose name fits their `pattern`; `hosts` adds others' `models`.
    """

    name: str
    title: str
    docs: str
    provider: str = "keyed"
    base_url: str = ""
    base_urls: Mapping[str, str] = {}
    key: tuple[str, str] = ("authorization", "Bearer {}")
    key_variable: str = ""
    headers: Mapping[str, str] = {}
    setting_headers: Mapping[str, str] = {}  # headers that carry a setting of the endpoint
    dialects: Mapping[str, Face]
    needs: tuple[str, ...] = ()
    quirks: Mapping[str, Any] = {}
    models: tuple[Mapping[str, Any], ...] = ()
    hosts: tuple[Hosted, ...] = ()

    def address(self, at: Place) -> str:
        """The base URL for an endpoint's region, location and project."""
        address = self.base_urls.get(at.location, self.base_url)
        for name in ("region", "location", "project"):
            address = address.replace(f"{{{name}}}", getattr(at, name))
        return address

    def quirks_for(self, model: str) -> Quirks:
        """How a model of this vendor departs from its dialect; of several patterns that fit, later ones win."""
        return _quirks(self.name, model)


def vendor(name: str) -> Vendor:
    """An entry by its name. Raises UnknownVendorError."""
    if name not in names():
        raise UnknownVendorError(name)
    return _read(name)


class UnknownVendorError(InvalidInputError):
    """The catalog has no such vendor."""

    code = "unknown_vendor"

    def __init__(self, name: str) -> None:
        super().__init__(f"the catalog has no vendor {name!r}", next_step="flyball models providers")


@cache
def names() -> tuple[str, ...]:
    """All entries, in the order of their names."""
    return tuple(
        sorted(file.name.removesuffix(".toml") for file in files(__name__).iterdir() if file.name.endswith(".toml"))
    )


@cache
def _read(name: str) -> Vendor:
    text = files(__name__).joinpath(f"{name}.toml").read_text()
    found = msgspec.convert({"name": name, **tomllib.loads(text)}, Vendor)
    for number, quirks in enumerate(({}, *found.models)):
        differs = {key: value for key, value in quirks.items() if key != "pattern"}
        msgspec.convert({**found.quirks, **differs}, Quirks)
        if number and "pattern" not in quirks:
            raise ValueError(f"{name}.toml: models[{number - 1}] has no pattern")
    return found


@lru_cache(maxsize=4096)
def _quirks(name: str, model: str) -> Quirks:
    found = _read(name)
    told = dict(found.quirks)
    tables = [("", found.models), *((hosted.prefix, _read(hosted.vendor).models) for hosted in found.hosts)]
    for prefix, table in tables:
        for one in table:
            if fnmatchcase(model, prefix + one["pattern"]):
                told |= {key: value for key, value in one.items() if key != "pattern"}
    return msgspec.convert(told, Quirks)
