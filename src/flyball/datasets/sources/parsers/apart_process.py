"""The child of `apart`: paths come in as JSON lines, texts go out as JSON lines. Limits its own memory first."""

import resource
import sys
from pathlib import Path

import msgspec

from . import html, pdf
from .apart import Answer
from .unreadable import UnreadableError


def main() -> None:
    """Answer until the input ends."""
    most_bytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    for line in sys.stdin.buffer:
        answer = _read(Path(msgspec.json.decode(line, type=str)))
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _read(path: Path) -> Answer:
    try:
        page = pdf.read(path) if path.suffix.lower() == ".pdf" else html.read(path.read_bytes())
    except UnreadableError as error:
        return Answer(reason=error.reason, detail=error.detail)
    except OSError as error:
        return Answer(reason="unreadable", detail=f"{error.strerror or error}")
    except MemoryError:
        return Answer(reason="too-large", detail="reading it needs more memory than the limit")
    return Answer(text=page.text, title=page.title)


if __name__ == "__main__":
    main()
