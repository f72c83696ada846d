"""What a provider says of itself: its addresses and its keys, fetched once for all who ask and kept for a while.

Kept under the whole issuer. A key that is not there yet is looked for once more, not oftener than every few seconds.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from flyball.infra.egress.address import target_of
from flyball.infra.egress.client import Egress
from flyball.infra.egress.errors import AddressDeniedError, AddressUnfitError, OutsideError
from flyball.kit.clock import NANOSECONDS, Clock
from flyball.kit.errors import FlyballError
from flyball.kit.nesting import nests_deeper

from .errors import ProviderAnswerError

_LIFE_NS = 600 * NANOSECONDS
_AGAIN_NS = 5 * NANOSECONDS
_SECONDS = 10.0
_MOST_BYTES = 256 * 1024
_MOST_KEYS = 100
_MOST_KEPT = 1_000
_DEEPEST = 20


class Metadata(NamedTuple):
    """A provider's addresses. `names_itself`: it puts its issuer into the answer that a browser brings (RFC 9207)."""

    issuer: str
    authorization: str
    token: str
    keys: str
    user_info: str
    end_session: str
    names_itself: bool


class _Kept(NamedTuple):
    metadata: Metadata
    keys: tuple[Mapping[str, Any], ...]
    at_ns: int
    keys_at_ns: int


class Providers:
    """What was fetched of all providers. One per process."""

    def __init__(self, egress: Egress, clock: Clock) -> None:
        self.egress = egress
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def metadata(self, issuer: str, *, anew: bool = False) -> Metadata:
        """The provider's addresses. Raises ProviderAnswerError."""
        return (await self._get(issuer, anew=anew)).metadata

    async def keys(self, issuer: str, kid: str | None) -> tuple[Mapping[str, Any], ...]:
        """The provider's public keys as they were published; fetched again where none of them has this name. Raises ProviderAnswerError."""
        kept = await self._get(issuer)
        known = kid is None or any(key.get("kid") == kid for key in kept.keys)
        if known or self._clock.monotonic_ns() - kept.keys_at_ns < _AGAIN_NS:
            return kept.keys
        async with self._lock(issuer):
            kept = self._kept.get(issuer, kept)
            if self._clock.monotonic_ns() - kept.keys_at_ns >= _AGAIN_NS:
                keys = await self._fetch_keys(kept.metadata)
                kept = self._kept[issuer] = kept._replace(keys=keys, keys_at_ns=self._clock.monotonic_ns())
        return kept.keys

    async def _get(self, issuer: str, *, anew: bool = False) -> _Kept:
        async with self._lock(issuer):
            kept = self._kept.get(issuer)
            now_ns = self._clock.monotonic_ns()
            if kept is None or anew or now_ns - kept.at_ns >= _LIFE_NS:
                metadata = await self._fetch(issuer)
                kept = _Kept(metadata, await self._fetch_keys(metadata), now_ns, now_ns)
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[issuer] = kept
            return kept

    def _lock(self, issuer: str) -> asyncio.Lock:
        if len(self._locks) >= _MOST_KEPT and issuer not in self._locks:
            self._locks.clear()
        return self._locks.setdefault(issuer, asyncio.Lock())

    async def _fetch(self, issuer: str) -> Metadata:
        told = await self._get_object(f"{issuer.rstrip('/')}/.well-known/openid-configuration", "its configuration")
        if told.get("issuer") != issuer:
            raise ProviderAnswerError(
                f"the provider calls itself {told.get('issuer')!r:.120}, not {issuer!r}",
                next_step="declare it under the issuer that its configuration names, to the letter",
            )
        methods = told.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise ProviderAnswerError("the provider does not know the code challenge S256 (RFC 7636)")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint")
        authorization, token, keys, user_info, end_session = (
            _address(told, name, issuer, required=name in names[:3]) for name in names
        )
        return Metadata(
            issuer=issuer,
            authorization=authorization,
            token=token,
            keys=keys,
            user_info=user_info,
            end_session=end_session,
            names_itself=told.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _fetch_keys(self, metadata: Metadata) -> tuple[Mapping[str, Any], ...]:
        keys = (await self._get_object(metadata.keys, "its keys")).get("keys")
        if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
            raise ProviderAnswerError(f"the provider's keys are no list of at most {_MOST_KEYS}")
        return tuple(key for key in keys if isinstance(key, dict))

    async def _get_object(self, url: str, what: str) -> dict[str, Any]:
        return await fetch_object(self.egress, "GET", url, what, headers={"accept": "application/json"})


async def fetch_object(egress: Egress, method: str, url: str, what: str, **request: Any) -> dict[str, Any]:
    """The JSON object that a provider answers with 200. No redirect is followed. Raises ProviderAnswerError naming `what` was asked for."""
    try:
        answer = await egress.request(method, url, seconds=_SECONDS, most_bytes=_MOST_BYTES, **request)
    except (OutsideError, AddressUnfitError, AddressDeniedError) as error:
        raise ProviderAnswerError(f"{what} cannot be had: {error.message}", next_step=error.next_step) from None
    told = _decoded(answer.body)
    if answer.status != 200:
        said = told.get("error") if isinstance(told, dict) else None
        raise ProviderAnswerError(f"{what} cannot be had: the provider answers {answer.status} {said or ''!r:.60}")
    if not isinstance(told, dict):
        raise ProviderAnswerError(f"{what} cannot be read: no JSON object")
    return told


def _decoded(body: bytes) -> Any:
    if nests_deeper(body, _DEEPEST):
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _address(told: Mapping[str, Any], name: str, issuer: str, *, required: bool) -> str:
    url = told.get(name)
    if url is None and not required:
        return ""
    try:
        target = target_of(url) if isinstance(url, str) else None
    except FlyballError:
        target = None
    if target is None or "#" in str(url) or (issuer.startswith("https:") and not target.secure):
        raise ProviderAnswerError(f"the provider's {name} is no address that is called")
    return str(url)
