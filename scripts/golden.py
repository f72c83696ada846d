"""Fill in what the golden fixtures expect, where they do not say yet. What they say is never overwritten but by `--accept`.

Whatever is filled in has to be read: the code that is tested wrote it. Exits with 1 where an expectation does not hold.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "llm"))

from golden import Case, cases, text_of, translated


def main() -> int:
    """Fill in, and tell what was filled in and what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--accept", metavar="NAME", help="take what the code says now for fixtures whose name holds this"
    )
    accepted = parser.parse_args().accept
    wrong = 0
    for case in cases():
        known, found = case.fixture.get("expect", {}).get(case.target), translated(case)
        if known is None or (accepted and accepted in str(case) and text_of(known) != text_of(found)):
            _put(case, found)
            print(f"{'filled in' if known is None else 'accepted'}: {case}")
        elif text_of(known) != text_of(found):
            wrong += 1
            print(f"differs: {case}")
    return 1 if wrong else 0


def _put(case: Case, found: object) -> None:
    fixture = case.fixture
    fixture.setdefault("expect", {})[case.target] = found
    case.path.write_text(json.dumps(fixture, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
