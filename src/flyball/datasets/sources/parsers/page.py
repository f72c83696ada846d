"""What a parser makes of a file: its text and its title. Knows no format."""

from typing import NamedTuple


class Page(NamedTuple):
    """The text of a file and its title, which may be empty."""

    text: str
    title: str
