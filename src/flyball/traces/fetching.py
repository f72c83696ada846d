"""Fetches content that a span refers to, when somebody reads the span: only from places that the setting `content_references` lists.

A span says what its producer likes, so that an address in it is a wish. It has to begin with a listed place, web addresses
are called as every address from outside is, a file has to lie below its folder after all links, and nothing is larger than
some megabytes. `{project}` in a place stands for the project that reads, so that projects do not read each other's.
Knows places and bytes; what they mean is `references.py`'s.
"""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from flyball.infra.context import Context
from flyball.infra.egress.client import Egress
from flyball.infra.egress.errors import AddressDeniedError, AddressUnfitError, OutsideError

from .errors import ReferenceAwayError, ReferenceRefusedError
from .normalising import normalise
from .pruning import of_trace
from .records import Span
from .references import referred, resolved
from .tables import SPANS
from .told import Told
from .told_texts import read_told

_MOST_BYTES = 32 * 1024 * 1024
_SECONDS = 20.0
_WEB = frozenset({"http", "https"})
_OK = 200
_PLACE = "select start_ns from spans where project = $project and trace_id = $trace_id and span_id = $span_id limit 1"


async def read_referred(ctx: Context, trace_id: str, span_id: str) -> Span | None:
    """A stored span with the content that it refers to; None where it refers to none, or no place is listed.

    Raises:
        ReferenceRefusedError: it lies in no place that is listed.
        ReferenceAwayError: it cannot be read there.
    """
    if not ctx.settings.content_references:
        return None
    told = await asyncio.to_thread(_read, ctx, trace_id, span_id)
    uris = set(referred(told.attributes).values()) if told is not None else set()
    if told is None or not uris:
        return None
    return normalise(resolved(told, {uri: await fetch(ctx, uri) for uri in sorted(uris)}))


async def fetch(ctx: Context, uri: str) -> bytes:
    """What lies at an address. Raises ReferenceRefusedError or ReferenceAwayError."""
    place = _allowed(ctx, uri)
    if urlsplit(uri).scheme in _WEB:
        return await _call(ctx, uri)
    try:
        async with asyncio.timeout(_SECONDS):
            return await asyncio.to_thread(_read_file if place.startswith("file://") else _read_object, uri, place)
    except (OSError, ImportError, TimeoutError, ValueError) as error:
        raise _away(uri, str(error) or "it took too long") from error


def places(ctx: Context) -> tuple[str, ...]:
    """The places that are listed, as this project may read them; each ends with a slash."""
    listed = (one.strip() for one in ctx.settings.content_references.split(","))
    return tuple(one.replace("{project}", ctx.project).rstrip("/") + "/" for one in listed if _is_place(one))


def _is_place(listed: str) -> bool:
    """Whether it is a folder, and not all that a scheme reaches."""
    place = urlsplit(listed)
    return bool(place.path.strip("/")) if place.scheme == "file" else bool(place.scheme and place.netloc)


def _allowed(ctx: Context, uri: str) -> str:
    place = next((one for one in places(ctx) if uri.startswith(one)), None)
    # A chain of drivers would read a place that is not the one it begins with, and so would a way up.
    if place is None or "::" in uri or ".." in unquote(uri).replace("\\", "/").split("/"):
        raise ReferenceRefusedError(
            f"the span refers to {uri:.200}, and content is not fetched from there",
            next_step="list the folder in FLYBALL_CONTENT_REFERENCES, if whoever sends spans may show what lies there",
        )
    return place


async def _call(ctx: Context, uri: str) -> bytes:
    try:
        answer = await Egress.of(ctx.settings).request("GET", uri, seconds=_SECONDS, most_bytes=_MOST_BYTES)
    except (AddressDeniedError, AddressUnfitError) as error:
        raise ReferenceRefusedError(f"the span refers to {uri:.200}: {error}", next_step=error.next_step) from error
    except OutsideError as error:
        raise _away(uri, str(error)) from error
    if answer.status != _OK:
        raise _away(uri, f"status {answer.status}")
    return answer.body


def _read_file(uri: str, place: str) -> bytes:
    path = Path(unquote(urlsplit(uri).path)).resolve()
    if not path.is_relative_to(Path(unquote(urlsplit(place).path)).resolve()):
        raise ValueError("it leads out of its folder")
    with path.open("rb") as file:
        return _bounded(file)


def _read_object(uri: str, place: str) -> bytes:
    del place
    files, path = fsspec.core.url_to_fs(uri)
    with files.open(path, "rb") as file:
        return _bounded(file)


def _bounded(file: Any) -> bytes:
    data: bytes = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES:,} bytes")
    return data


def _read(ctx: Context, trace_id: str, span_id: str) -> Told | None:
    place = {"project": ctx.project, "trace_id": trace_id, "span_id": span_id}
    found = ctx.lake.query(_PLACE, place, tables=(SPANS,), where={"spans": of_trace(ctx.project, trace_id)})
    return read_told(ctx, {"trace_id": trace_id, "span_id": span_id} | found[0]) if found else None


def _away(uri: str, why: str) -> ReferenceAwayError:
    return ReferenceAwayError(
        f"the span refers to {uri:.200}, which cannot be read: {why}",
        next_step="see whether it is there and this server may read it",
    )
