"""What each installed distribution weighs, so that one that does not earn its place is seen. Needs nothing but the standard library.

python bench/weight.py PATH/TO/VENV        default: the environment that runs it
"""

import argparse
import importlib.metadata
import sys
from pathlib import Path

LIMIT_MB = 850


def main() -> None:
    """Print every distribution above half a megabyte, and the whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", nargs="?", default=sys.prefix)
    root = Path(parser.parse_args().environment)
    site = next(root.glob("lib/python3*/site-packages"))
    rows = sorted(
        (
            (size(found), found.metadata["Name"], found.version)
            for found in importlib.metadata.distributions(path=[str(site)])
        ),
        reverse=True,
    )
    for megabytes, name, version in rows:
        if megabytes >= 0.5:
            print(f"{megabytes:8.1f} MB  {name} {version}")
    whole = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
    print(f"{whole:8.1f} MB  the whole environment; limit {LIMIT_MB} MB, ratio {whole / LIMIT_MB:.2f}")


def size(found: importlib.metadata.Distribution) -> float:
    """Megabytes of the distribution's own files."""
    paths = (Path(str(file.locate())) for file in found.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
