"""Checkpoints: making one, and judging a row of them. Knows signatures and what they stand for; knows no database and no file."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from .chain import FIRST, Marked, checkpoint_body
from .checking import Mark
from .records import Checkpoint, Finding, Head, Kind, SignedCheckpoint
from .signing import SigningKey, is_signed

NO_PREVIOUS = sha256(b"flyball audit checkpoint").hexdigest()
FLOOR_DAYS = 180
_DAY_NS = 86_400 * 1_000_000_000


class Stood(NamedTuple):
    """Where a chain stands when it is signed: the events `first` to `seq`, the last one's hash and time, their root."""

    kind: Kind
    first: int
    seq: int
    hash: bytes
    root: str
    event_ns: int


class Judged(NamedTuple):
    """What a row of checkpoints says: where the chain begins, and what must be true of its events."""

    base: Head
    marks: list[Mark]
    signed_up_to: int
    keys: tuple[str, ...]


def make(key: SigningKey, project: str, before: Marked | None, stood: Stood, *, at_ns: int) -> tuple[bytes, bytes]:
    """The next checkpoint: the bytes to keep, and their signature."""
    checkpoint = Checkpoint(
        project=project,
        number=before.number + 1 if before else 1,
        kind=stood.kind,
        first=stood.first,
        seq=stood.seq,
        hash=stood.hash.hex(),
        root=stood.root,
        event_ns=stood.event_ns,
        at_ns=at_ns,
        previous=body_hash(before.body) if before else NO_PREVIOUS,
        key=key.public,
    )
    body = checkpoint_body(checkpoint)
    return body, key.sign(body)


def body_hash(body: str) -> str:
    """What the next checkpoint names as the one before it."""
    return sha256(body.encode()).hexdigest()


def judge(project: str, row: Sequence[Marked], trusted: Collection[str]) -> Judged | Finding:
    """Check every signature and that no checkpoint is missing, changed or moved. `trusted`: whose signatures count; empty: anyone's."""
    base, covered = Head(seq=0, hash=FIRST.hex()), 0
    previous, marks, keys = NO_PREVIOUS, list[Mark](), dict[str, None]()
    for number, kept in enumerate(row, 1):
        signed = _read(kept)
        if isinstance(signed, Finding):
            return signed
        said = signed.checkpoint
        finding = _fault_of(signed, (project, number, previous), trusted, covered, base.seq)
        if finding is not None:
            return finding
        if said.kind == "pruned":
            base = Head(seq=said.seq, hash=said.hash)
        else:
            marks.append(Mark(said.seq, said.first, said.hash, said.root, f"checkpoint {said.number}"))
            covered = said.seq
        previous = body_hash(kept.body)
        keys[said.key] = None
    return Judged(base, [mark for mark in marks if mark.seq > base.seq], max(covered, base.seq), tuple(keys))


def _read(kept: Marked) -> SignedCheckpoint | Finding:
    try:
        signed = kept.read()
        if checkpoint_body(signed.checkpoint) == kept.body.encode():
            return signed
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
        pass
    return Finding(fault="checkpoint", seq=0, said=f"checkpoint {kept.number} is not written as checkpoints are")


def _fault_of(
    signed: SignedCheckpoint,
    place: tuple[str, int, str],
    trusted: Collection[str],
    covered: int,
    base: int,
) -> Finding | None:
    said = signed.checkpoint
    project, number, previous = place
    name = f"checkpoint {said.number} (event {said.seq})"
    if said.number != number:
        where = f"checkpoint {number} is missing" if said.number > number else f"{name} stands where {number} should be"
        return Finding(fault="checkpoint", seq=said.seq, said=where)
    if said.project != project:
        return Finding(fault="checkpoint", seq=said.seq, said=f"{name} is of the project {said.project!r:.80}")
    if not is_signed(checkpoint_body(said), signed.signature, said.key):
        return Finding(fault="signature", seq=said.seq, said=f"the signature of {name} does not hold: it was changed")
    if trusted and said.key not in trusted:
        return Finding(
            fault="signature", seq=said.seq, said=f"{name} is signed by {said.key}, which is not a key that is trusted"
        )
    if said.previous != previous:
        return Finding(fault="checkpoint", seq=said.seq, said=f"{name} does not follow the checkpoint before it")
    return _misplaced(said, name, covered, base)


def _misplaced(said: Checkpoint, name: str, covered: int, base: int) -> Finding | None:
    """What a signed checkpoint may not say, though it is signed."""
    if said.kind == "pruned":
        if not (said.first == base + 1 and base < said.seq <= covered):
            return Finding(
                fault="checkpoint", seq=said.seq, said=f"{name} gives up events that no checkpoint had covered"
            )
        if said.at_ns - said.event_ns < FLOOR_DAYS * _DAY_NS:
            return Finding(
                fault="checkpoint",
                seq=said.seq,
                said=f"{name} gives up events that were younger than {FLOOR_DAYS} days",
            )
        return None
    if not (said.first == max(covered, base) + 1 and said.seq >= said.first):
        return Finding(fault="checkpoint", seq=said.seq, said=f"{name} does not begin where the one before it ended")
    return None
