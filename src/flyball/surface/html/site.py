"""The frame around every page: the navigation along the loop, who is signed in, a notice. Knows no noun: the web door fills it."""

import msgspec


class Link(msgspec.Struct, frozen=True):
    """One entry of the navigation."""

    label: str
    href: str


class Stage(msgspec.Struct, frozen=True):
    """A stage of the loop and what lies there."""

    verb: str
    items: tuple[Link, ...]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same on every page: `request.app.state.site`."""

    stages: tuple[Stage, ...]


class Chrome(msgspec.Struct, frozen=True, kw_only=True):
    """The frame's own context, beside the page's. `csrf` is empty where nobody is signed in by a cookie.

    `address` is where the browser found us, as scheme://host:port.
    """

    stages: tuple[Stage, ...]
    section: str
    actor: str
    csrf: str
    now_ns: int
    address: str
    notice: str = ""
    notice_tone: str = ""
