"""Where an upstream is asked, by what the catalog says of its vendor: the dialects, the address, the headers, the key.

Knows nothing of tokens and signatures: whoever needs one makes it and hands it over as the key, or adds its own headers.
"""

from fnmatch import fnmatchcase
from urllib.parse import quote

from flyball.kit.secrets import Secret

from .catalog import vendor
from .providers.protocol import Ask, Upstream
from .wire import Order, place

_IN_PATHS = ("model", "project", "location", "region", "api_version")


def dialects_of(upstream: Upstream) -> tuple[str, ...]:
    """What is spoken there with this model, the preferred one first; the operator's choice alone where there is one."""
    faces = vendor(upstream.vendor).dialects
    if upstream.dialect in faces:
        return (upstream.dialect,)
    spoken = [name for name, face in faces.items() if not face.models or _fits(upstream.model, face.models)]
    spoken.sort(key=lambda name: not _fits(upstream.model, faces[name].first_for))
    return tuple(spoken) or (next(iter(faces)),)


def _fits(model: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)


def counted_by(upstream: Upstream) -> tuple[str, ...]:
    """The dialects in which tokens can be counted there, the preferred one first."""
    faces = vendor(upstream.vendor).dialects
    return tuple(name for name in dialects_of(upstream) if faces[name].count_path)


def order_of(upstream: Upstream, ask: Ask, key: Secret | None) -> Order:
    """A POST of the body to the dialect's path, with the key where the vendor wants it."""
    found = vendor(upstream.vendor)
    face = found.dialects[ask.dialect]
    path = face.path
    if ask.verb == "count_tokens":
        path = face.count_path
    elif upstream.api_version and face.versioned_path:
        path = face.versioned_path
    elif ask.stream and face.stream_path:
        path = face.stream_path
    for name in _IN_PATHS:
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(getattr(upstream, name), safe=""))
    base_url = upstream.base_url or found.address(upstream)
    name, worded = face.key or found.key
    own = ((header, getattr(upstream, setting)) for setting, header in found.setting_headers.items())
    return Order(
        url=base_url.rstrip("/") + path,
        headers=(
            *found.headers.items(),
            *face.headers.items(),
            *(pair for pair in own if pair[1]),
            *ask.headers,
        ),
        body=ask.body,
        where=place(upstream.model, base_url),
        secrets=((name, worded.format(key.reveal())),) if key else (),
        blot=(key,) if key else (),
        guarded=upstream.guarded,
    )
