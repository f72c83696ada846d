"""The stylesheet, the script and the icon: served by us alone, named by their content, kept by browsers for ever."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response

from flyball.kit.errors import NotFoundError
from flyball.surface.http import PUBLIC, Router

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class _Asset(NamedTuple):
    content: bytes
    media_type: str
    digest: str


def _load() -> dict[str, _Asset]:
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        content = path.read_bytes()
        found[path.name] = _Asset(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])
    return found


_ASSETS = _load()
assets = Router("/static", tag="assets", documented=False)


def asset_url(name: str) -> str:
    """The address of a file of ours; changes when its content does."""
    return f"/static/{_ASSETS[name].digest}/{name}"


@assets.get("/{digest}/{name}", permission=PUBLIC, returns=Response)
async def asset(digest: str, name: str) -> Response:
    """One file, with a year of caching: another content has another address."""
    found = _ASSETS.get(name)
    if found is None or digest != found.digest:
        raise NotFoundError(f"no file {name!r:.60} with this content", next_step="reload the page that asked for it")
    return Response(
        found.content,
        media_type=found.media_type,
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )
