"""Checking an export by itself: no server, no database, no network. The file, and if it is at hand the public key."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from flyball.kit.errors import InvalidInputError

from .chain import FIRST, Lines, Marked
from .checking import Walk, known_marks
from .checkpoints import Judged, judge
from .exporting import FORMAT, Header, header_of
from .noted import checkpoint_of, marked
from .records import Finding, Head, Verification

_BLOCK_BYTES = 2 * 1024 * 1024
_LONGEST_LINE = 4 * 1024 * 1024
_NO_HEAD = Head(seq=0, hash=FIRST.hex())


def verify_file(path: Path, *, public_keys: Collection[str] = (), expected: Head | None = None) -> Verification:
    """Check every byte of an export. `public_keys`: whose signatures count; without any, those of the key that the file names.

    Raises:
        InvalidInputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _verify(file, {key.strip().lower() for key in public_keys}, expected)
    except OSError as error:
        raise InvalidInputError(
            f"the export {path} cannot be read ({error.strerror})",
            next_step="make one with `flyball audit export FILE`",
        ) from None


def _verify(file: BinaryIO, trusted: set[str], expected: Head | None) -> Verification:
    header = header_of(file.readline(_LONGEST_LINE).removesuffix(b"\n"))
    if header is None or header.format != FORMAT:
        finding = Finding(
            fault="format", seq=0, said="the first line is not the signed header of an export, or it was changed"
        )
        return Verification(ok=False, project="", events=0, head=_NO_HEAD, fault="format", finding=finding.said)
    row: list[Marked] = []
    judged = _judge(file, header, trusted, row)
    if isinstance(judged, Finding):
        return _told(header, judged, Walk(header.project), row, ())
    base = judged.base
    marks = known_marks(judged.marks, base, expected)
    if isinstance(marks, Finding):
        return _told(header, marks, Walk(header.project, seq=base.seq), row, judged)
    walk = Walk(header.project, seq=base.seq, previous=bytes.fromhex(base.hash), marks=marks)
    finding_or_none = _events(file, walk) or walk.end(header.head.seq, header.head.hash, said_by="the file's header")
    return _told(header, finding_or_none, walk, row, judged)


def _judge(file: BinaryIO, header: Header, trusted: set[str], row: list[Marked]) -> Judged | Finding:
    """The checkpoints, which follow the header; they are put into `row`."""
    if trusted and header.key not in trusted:
        return Finding(
            fault="signature", seq=0, said=f"the header is signed by {header.key}, which is not a key that was given"
        )
    for number in range(1, header.checkpoints + 1):
        line = file.readline(_LONGEST_LINE)
        signed = checkpoint_of(line.removesuffix(b"\n"))
        if signed is None:
            known = row[-1].seq if row else 0
            said = (
                f"checkpoint {number} is missing"
                if line.startswith(b'{"hash"') or not line
                else f"checkpoint {number} was changed"
            )
            return Finding(fault="checkpoint", seq=known, said=said)
        row.append(marked(signed))
    judged = judge(header.project, row, trusted)
    if isinstance(judged, Judged) and judged.base.seq + 1 != header.begins_at:
        return Finding(
            fault="checkpoint", seq=judged.base.seq, said="the header and the checkpoints begin at different events"
        )
    return judged


def _events(file: BinaryIO, walk: Walk) -> Finding | None:
    for lines, rest in _blocks(file):
        finding = walk.take(Lines(lines), rest)
        if finding is not None:
            return finding
    return None


def _blocks(file: BinaryIO) -> Iterator[tuple[list[bytes], Iterator[list[bytes]]]]:
    """The lines of the file, many at a time, each with those that follow for who has to look ahead."""
    tail = b""

    def read() -> Iterator[list[bytes]]:
        nonlocal tail
        while data := file.read(_BLOCK_BYTES):
            *lines, tail = (tail + data).split(b"\n")
            if len(tail) > _LONGEST_LINE:
                lines, tail = [*lines, tail], b""
            if lines:
                yield lines
        if tail:
            lines, tail = [tail + b"\n"], b""  # a last line without its end was cut
            yield lines

    blocks = read()
    for lines in blocks:
        yield lines, blocks


def _told(
    header: Header, finding: Finding | None, walk: Walk, row: list[Marked], judged: Judged | tuple[()]
) -> Verification:
    missing = finding is not None and finding.fault in ("gap", "truncation")
    return Verification(
        ok=finding is None,
        project=header.project,
        events=walk.seq - walk.began,
        begins_at=walk.began + 1,
        head=header.head,
        fault=finding.fault if finding else None,
        finding=finding.said if finding else "",
        gap=finding.seq if finding and missing else None,
        broken_at=finding.seq if finding and not missing else None,
        checkpoints=len(row),
        signed_up_to=judged.signed_up_to if isinstance(judged, Judged) else 0,
        keys=judged.keys if isinstance(judged, Judged) else (),
    )
