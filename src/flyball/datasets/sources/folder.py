"""A folder of the user's own: `.txt .md .rst .html .pdf`. Every file either becomes a document or is refused with a reason.

Knows how to walk without being led astray (links, pipes, loops, files that grow). Knows no format: `parsers/`.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from flyball.datasets.errors import SourceNotFoundError
from flyball.datasets.records import UNKNOWN_LICENCE, Refusal
from flyball.kit.hashing import bytes_hash

from .found import Collected, Fact, Found
from .parsers import plain
from .parsers.apart import ReaderApart
from .parsers.unreadable import UnreadableError

FORMATS = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "restructuredtext",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
}
LARGEST_FILE = 32 * 1024 * 1024
LARGEST_PDF = 256 * 1024 * 1024
LARGEST_TEXT = 8_000_000

_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*?)[ \t#]*$|^(\S.*)\n[=\-~^\"'*+#]{3,}[ \t]*$", re.MULTILINE)


def collect(location: str, licence: str) -> Collected:
    """One document per file, in the order of paths. Raises SourceNotFoundError."""
    root = Path(location)
    if not root.is_dir():
        raise SourceNotFoundError(
            f"{location!r} is {'a file, not a folder' if root.exists() else 'not there'}",
            next_step="give the path of a folder that exists on flyball's machine",
        )
    yield Fact(name="formats", value=sorted(set(FORMATS.values())))
    with ReaderApart() as apart:
        for item in _walk(root.resolve()):
            if isinstance(item, Refusal):
                yield item
                continue
            shown, path = item
            try:
                yield _document(shown, path, licence or UNKNOWN_LICENCE, apart)
            except UnreadableError as error:
                yield Refusal(location=shown, reason=error.reason, detail=error.detail)
            except Exception as error:  # noqa: BLE001 -- a door: whatever one file does to its parser, the rest is imported
                yield Refusal(location=shown, reason="broken", detail=f"its parser failed: {error!r:.200}")


def _walk(root: Path) -> Iterator[tuple[str, Path] | Refusal]:
    pending, visited = [root], {_identity(root)}
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield _refusal(root, folder, "unreadable", f"the folder cannot be listed: {error.strerror}")
            continue
        below: list[Path] = []
        for entry in entries:
            path = Path(entry.path)
            found = _sorted_out(root, path, visited)
            if isinstance(found, Refusal):
                yield found
            elif found == "folder":
                below.append(path)
            else:
                yield path.relative_to(root).as_posix(), path
        pending.extend(reversed(below))


def _sorted_out(root: Path, path: Path, visited: set[tuple[int, int]]) -> Refusal | str:
    """`file`, `folder`, or why neither. Folders are remembered, so that none is walked twice."""
    if not _printable(path.name):
        return _refusal(root, path, "name-not-utf-8", "the file's name is not UTF-8: rename it")
    if path.name.startswith("."):
        return _refusal(root, path, "hidden", "names that begin with a dot are left out")
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            return _refusal(root, path, "link-outside", "the link leads out of the folder")
        status = path.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself, before Python 3.13
        loop = isinstance(error, RuntimeError) or error.errno == errno.ELOOP
        reason = ("link-loop" if loop else "broken-link") if path.is_symlink() else "unreadable"
        return _refusal(root, path, reason, f"{getattr(error, 'strerror', None) or error}")
    return _by_mode(root, path, status, visited)


def _by_mode(root: Path, path: Path, status: os.stat_result, visited: set[tuple[int, int]]) -> Refusal | str:
    if stat.S_ISDIR(status.st_mode):
        if (status.st_dev, status.st_ino) in visited:
            return _refusal(root, path, "link-loop", "the link leads to a folder that is read already")
        visited.add((status.st_dev, status.st_ino))
        return "folder"
    if not stat.S_ISREG(status.st_mode):
        return _refusal(root, path, "not-a-file", "a device, pipe or socket")
    if path.suffix.lower() not in FORMATS:
        known = " ".join(sorted(FORMATS))
        return _refusal(root, path, "unsupported", f"{path.suffix or 'no suffix'}: known are {known}")
    return "file"


def _document(shown: str, path: Path, licence: str, apart: ReaderApart) -> Found:
    format_ = FORMATS[path.suffix.lower()]
    data = _bytes(path, LARGEST_PDF if format_ == "pdf" else LARGEST_FILE)
    if format_ in ("pdf", "html"):
        answer = apart.read(path)
        text, title = answer.text, answer.title
    else:
        text = plain.read(data)
        title = _title(text) if format_ != "text" else ""
    if not text.strip():
        raise UnreadableError("empty", "nothing but white space")
    if len(text) > LARGEST_TEXT:
        raise UnreadableError(
            "too-large", f"{len(text):,} characters of text, more than {LARGEST_TEXT:,}: split the file"
        )
    return Found(
        row_id=shown,
        title=title or path.stem,
        text=text,
        source=shown,
        licence=licence,
        data={"kind": format_, "file_hash": bytes_hash(data), "bytes": len(data)},
    )


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UnreadableError("unreadable", f"{error.strerror or error}") from None
    if not data:
        raise UnreadableError("empty", "the file has no bytes")
    if len(data) > most:
        size = path.stat().st_size
        raise UnreadableError("too-large", f"{size:,} bytes, more than {most:,}: split the file")
    return data


def _title(text: str) -> str:
    match = _HEADING.search(text[:4000])
    return (match.group(1) or match.group(2)).strip()[:200] if match else ""


def _printable(name: str) -> bool:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace") == name


def _refusal(root: Path, path: Path, reason: str, detail: str) -> Refusal:
    shown = os.fsencode(path.relative_to(root)).decode("utf-8", "replace")
    return Refusal(location=shown, reason=reason, detail=detail)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
