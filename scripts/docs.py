"""Write the generated pages of docs/: settings, errors, commands, routes, exit codes. `--check` fails when one is stale."""

import argparse
import sys
from pathlib import Path

from flyball.web import reference

DOCS = Path(__file__).parents[1] / "docs"


def main() -> int:
    """Write or compare every generated page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a page is stale")
    check = parser.parse_args().check
    stale = []
    for name, text in reference.pages().items():
        path = DOCS / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
    print(("stale: " if check else "written: ") + (", ".join(stale) or "nothing"))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
