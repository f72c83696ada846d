"""The command-line door: `flyball` and its table of commands. Knows no deed of its own."""

import sys

from .root import app, options_last


def main() -> None:
    """What the program `flyball` runs."""
    app(options_last(sys.argv[1:]), prog_name="flyball")
