"""The command-line door: `flyball` and its table of commands. Knows no deed of its own."""

import sys

from .root import app, options_last


def main() -> None:
    """What the program `flyball` runs. Arguments that are no text end it with 2, before anything is done."""
    given = sys.argv[1:]
    for argument in given:
        try:
            argument.encode()
        except UnicodeEncodeError:
            sys.stderr.write(f"{argument!a:.100} is not UTF-8. Next: write it as UTF-8\n")
            raise SystemExit(2) from None
    app(options_last(given), prog_name="flyball")
