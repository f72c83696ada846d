"""A terminal to which what others wrote may be printed: it shows escape sequences and markup, and obeys neither."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from flyball.kit.visible import for_terminal


class HarmlessConsole(Console):
    """rich's console; styles come from our own code alone. `[bold]` in a name is six characters."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, "soft_wrap": False} | settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces to print, with nothing in them that a terminal would obey."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=for_terminal(segment.text))

    def render_str(self, text: str, **settings: Any) -> Text:
        """A cell that is a plain string, measured as it will be shown."""
        return super().render_str(for_terminal(text), **settings)
