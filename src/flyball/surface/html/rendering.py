"""Templates: found by `<room>/<file>`, autoescaped, strict about names. Knows how values are shown, not what they mean."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from flyball.infra.context import Context
from flyball.kit.clock import NANOSECONDS, SystemClock, to_datetime
from flyball.kit.errors import FlyballError
from flyball.kit.hashing import short
from flyball.kit.money import format_usd
from flyball.kit.visible import visible
from flyball.surface.http import form_token
from flyball.surface.http.cookies import came_by_https

from . import notices
from .assets import asset_url
from .site import Chrome, Site

_PACKAGE = Path(__file__).parents[2]
_SURFACE = Path(__file__).parent / "templates" / "surface"
_CODE = re.compile(r"`([^`]+)`")


class FailurePage(msgspec.Struct, frozen=True, kw_only=True):
    """What surface/failure.html shows."""

    title: str
    status: int
    code: str
    message: str
    next_step: str


def render(request: Request, template: str, page: object, *, section: str = "", status: int = 200) -> HTMLResponse:
    """The template with `page` (the view's record) and `chrome` (the frame)."""
    chrome = _chrome(request, section)
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(page=page, chrome=chrome), status_code=status)


def failure_page(request: Request, error: FlyballError) -> HTMLResponse:
    """An error as a page, in the same frame, with the next step."""
    page = FailurePage(
        title="Not found" if error.status == 404 else "This did not work",
        status=error.status,
        code=error.code,
        message=error.message,
        next_step=error.next_step,
    )
    return render(request, "surface/failure.html", page, status=error.status)


def _chrome(request: Request, section: str) -> Chrome:
    site: Site = request.app.state.site
    ctx: Context | None = request.scope.get("flyball.context")
    notice, tone = notices.take(request)
    clock = ctx.clock if ctx else SystemClock()
    return Chrome(
        stages=site.stages,
        section=section,
        actor=ctx.actor.name if ctx and ctx.actor.kind != "anonymous" else "",
        csrf=form_token(request),
        now_ns=clock.now_ns(),
        address=f"{'https' if came_by_https(request) else 'http'}://{request.headers.get('host', request.url.netloc)}",
        notice=notice,
        notice_tone=tone,
    )


def _source(name: str) -> tuple[str, str, Any] | None:
    room, _, file = name.partition("/")
    path = (_SURFACE if room == "surface" else _PACKAGE / room / "templates") / file
    if not path.is_file():
        return None
    modified = path.stat().st_mtime
    return path.read_text(encoding="utf-8"), str(path), lambda: path.stat().st_mtime == modified


def _iso(ns: int) -> str:
    return to_datetime(ns).isoformat(timespec="seconds").replace("+00:00", "Z")


def _relative(ns: int, now_ns: int) -> str:
    seconds = max(0, (now_ns - ns) // NANOSECONDS)
    for most, size, unit in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < most:
            return f"{seconds // size} {unit} ago"
    return f"{seconds // 86400} d ago"


def _duration(ns: int | None) -> str:
    if ns is None:
        return "–"
    if ns < 1_000_000:
        return f"{ns / 1000:.0f} µs"
    if ns < NANOSECONDS:
        return f"{ns / 1_000_000:.1f} ms"
    return f"{ns / NANOSECONDS:.2f} s"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def _pretty(value: Any) -> str:
    """JSON for reading; a string as it is."""
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _date_or_text(value: str) -> str:
    """The type of a field that holds a date, or whatever else was written: browsers show nothing else in one for dates."""
    try:
        return "date" if not value or (len(value) == len("2026-11-21") and date.fromisoformat(value)) else "text"
    except ValueError:
        return "text"


def _usd(nano: int | None) -> str:
    """An amount; what is not known is said to be unknown, never nothing."""
    if nano is None:
        return "unknown"
    return format_usd(nano) if nano else "$0"


def _who(actor_id: str) -> str:
    """An actor's id for reading: the owner at the machine, a part of flyball itself, or an id cut short."""
    kind, _, rest = actor_id.partition(":")
    if kind == "local":
        return "local owner"
    if kind == "system":
        return f"flyball's {rest}"
    return actor_id[:12]


def _prose(text: str) -> Markup:
    """A sentence of ours, in which `backticks` mark what can be typed."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(_visible(text)))))  # noqa: S704 -- escaped one call before


def _visible(value: object) -> object:
    """What a template shows: control characters, and marks that turn the direction of text, stand as symbols."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(value)


def _make_environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        iso=_iso,
        relative_to=_relative,
        duration=_duration,
        size=_size,
        usd=_usd,
        date_or_text=_date_or_text,
        who=_who,
        prose=_prose,
        short_hash=short,
        pretty=_pretty,
        count=lambda number: f"{number:,}",
    )
    environment.globals["asset"] = asset_url
    environment.globals["csrf_field"] = _csrf_field
    return environment


def _csrf_field(chrome: Chrome) -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(chrome.csrf)


_ENVIRONMENT = _make_environment()
