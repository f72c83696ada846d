"""Walking a chain over the lines of an export: the same for a database and for a file. Pure; knows neither.

Lines are checked many at a time, by joining what they must be and comparing once: an event costs one SHA-256 and little
else. Only where something differs is a line looked at by itself, to say in words what is wrong with it.
"""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from flyball.kit.errors import InvalidInputError

from .chain import FIRST, PREFIX, Kept, Lines, canonical, merkle_root, read
from .records import Fault, Finding, Head

_SEQ = re.compile(rb'"seq":(\d{1,18})\}\}$')
_LINE = re.compile(rb'\{"hash":"([0-9a-f]{64})","event":(\{.*\})\}', re.DOTALL)


class Mark(NamedTuple):
    """What a signed statement says of event `seq`: its hash and, over the events from `first`, the Merkle root. `name` is for people."""

    seq: int
    first: int
    hash: str
    root: str
    name: str


class Walk:
    """A walk from a place in a chain to its end. Give `take` the lines in their order, then ask `end`."""

    def __init__(
        self, project: str, *, seq: int = 0, previous: bytes = FIRST, marks: Iterable[Mark] = (), since: int = 0
    ) -> None:
        self.seq = seq
        self.previous = previous
        self.began = seq
        self._project = b',"project":%b,' % msgspec.json.encode(project)
        self._marks = sorted(mark for mark in marks if mark.seq > seq)
        self._next = 0
        self._since = max(seq, since)  # hashes are kept from the last checkpoint on, for the next one's root
        self._hashes: list[bytes] = []

    def take(self, events: Lines | Kept, later: Iterable[Sequence[bytes]] = ()) -> Finding | None:
        """Check the next events. `later` are the lines that follow, looked into only to say what became of a missing event."""
        at = 0
        while at < len(events):
            stop = self._marks[self._next].seq - self.seq if self._next < len(self._marks) else len(events)
            part, at = events.part(at, at + max(stop, 1)), at + max(stop, 1)
            if not self._fits(part):
                return self._explain(part.lines, events.part(at).lines, later)
            if finding := self._compare_with_marks():
                return finding
        return None

    def end(self, seq: int, hash_: str, *, said_by: str) -> Finding | None:
        """Whether the chain ends where somebody says it does."""
        if self._next < len(self._marks) and self._marks[self._next].seq > seq:
            seq, said_by = self._marks[-1].seq, self._marks[-1].name
        if self.seq < seq:
            missing = f"event {seq} is" if self.seq + 1 == seq else f"events {self.seq + 1} to {seq} are"
            return Finding(
                fault="truncation",
                seq=self.seq + 1,
                said=f"the end was cut off: {missing} missing, and {said_by} knows them",
            )
        if self.seq > seq:
            return Finding(
                fault="order",
                seq=seq + 1,
                said=f"event {seq + 1} stands behind the end of the chain, which {said_by} has at {seq}",
            )
        if self.previous.hex() != hash_:
            return Finding(fault="edit", seq=seq, said=f"event {seq} is not the one that {said_by} has as the last")
        return None

    def _fits(self, part: Lines | Kept) -> bool:
        """Whether these events follow; then they are behind us."""
        previous, texts = self.previous, part.texts
        hashes = [previous := sha256(previous + body).digest() for body in part.bodies()]
        ours = [1 for text in texts if text.rfind(self._project) > 0]  # it stands near the end: a quarter of `in`
        if not (part.carry(hashes) and _same_numbers(texts, self.seq + 1, part.closing) and len(ours) == len(texts)):
            return False
        self.previous, self.seq = previous, self.seq + len(texts)
        self._hashes += hashes
        return True

    def _compare_with_marks(self) -> Finding | None:
        if self._next == len(self._marks) and len(self._hashes) > 4096:
            self._hashes.clear()  # nobody will ask for a root any more
        while self._next < len(self._marks) and self._marks[self._next].seq == self.seq:
            mark = self._marks[self._next]
            self._next += 1
            if mark.hash != self.previous.hex():
                who = f"{mark.name} has signed" if mark.root else "was noted"
                return Finding(fault="edit", seq=mark.seq, said=f"event {mark.seq} is not the one that {who}")
            if not mark.root:
                continue
            covered = self._hashes[mark.first - self._since - 1 :]
            if mark.first > self._since and merkle_root(covered).hex() != mark.root:
                return Finding(
                    fault="checkpoint",
                    seq=mark.seq,
                    said=f"the Merkle root of {mark.name} is not that of the events {mark.first} to {mark.seq}",
                )
            self._since, self._hashes = self.seq, []
        return None

    def _explain(self, lines: Sequence[bytes], rest: Sequence[bytes], later: Iterable[Sequence[bytes]]) -> Finding:
        """What is wrong with the first of these lines that does not fit."""
        previous, seq = self.previous, self.seq
        for at, line in enumerate(lines):
            seq += 1
            fault = self._fault_of(line, seq, previous)
            if fault is None:
                previous = bytes.fromhex(line[9:73].decode())
                continue
            found = _number_of(line)
            after = next(iter((*lines[at + 1 : at + 2], *rest[:1])), None)
            if found not in (None, seq) and not _stands_between(line, seq, after):
                return _moved(seq, found, [lines[at + 1 :], rest], later)
            return _changed(fault, seq, line, previous, after)
        raise AssertionError("lines that fit one by one fit together")

    def _fault_of(self, line: bytes, seq: int, previous: bytes) -> Fault | None:
        """Whether a line is no line of an export, or another event, or an event that does not fit; None where all is well."""
        match = _LINE.fullmatch(line)
        if match is None or match[2] != line[PREFIX:-1]:
            return "format"
        if sha256(previous + match[2]).hexdigest().encode() != match[1]:
            return "edit"
        return None if _number_of(line) == seq and self._project in line else "order"


def known_marks(marks: Iterable[Mark], base: Head, noted: Head | None) -> list[Mark] | Finding:
    """Marks of checkpoints, and the head that somebody noted elsewhere; what is wrong with it where it lies at the base or before.

    Raises:
        InvalidInputError: the noted head is that of no event.
    """
    if noted is None:
        return list(marks)
    if noted.seq < 1:
        raise InvalidInputError(
            f"{noted.seq} is the number of no event: the first one is 1",
            next_step="give a head SEQ:HASH as `flyball audit verify` printed it",
        )
    if noted.seq > base.seq:
        return [*marks, Mark(noted.seq, 0, noted.hash, "", f"the note of event {noted.seq}")]
    if noted.seq < base.seq:
        said = f"the note of event {noted.seq} cannot be checked any more: events up to {base.seq} were given up"
        return Finding(fault="truncation", seq=noted.seq, said=said)
    if noted.hash != base.hash:
        said = f"event {base.seq}, the last that was given up, is not the one that was noted"
        return Finding(fault="edit", seq=base.seq, said=said)
    return list(marks)


def _same_numbers(texts: Sequence[bytes], first: int, closing: str) -> bool:
    """Whether every event ends with its number; where a number grows by a digit they are taken in two parts."""
    last = first + len(texts) - 1
    if len(str(first)) != len(str(last)):
        part = 10 ** len(str(first)) - first
        return _same_numbers(texts[:part], first, closing) and _same_numbers(texts[part:], first + part, closing)
    width = len(f'"seq":{first}{closing}')
    expected = '"seq":' + f'{closing}"seq":'.join(map(str, range(first, last + 1))) + closing
    return b"".join([text[-width:] for text in texts]) == expected.encode()


def _number_of(line: bytes) -> int | None:
    match = _SEQ.search(line)
    return int(match[1]) if match else None


def _moved(expected: int, found: int, here: Iterable[Sequence[bytes]], later: Iterable[Sequence[bytes]]) -> Finding:
    """Another event stands where `expected` should: it is missing, or it stands elsewhere."""
    if found < expected:
        return Finding(
            fault="order", seq=expected, said=f"event {found} stands a second time, where event {expected} should be"
        )
    ending = b'"seq":%d}}' % expected
    if any(line.endswith(ending) for lines in (*here, *later) for line in lines):
        return Finding(
            fault="order",
            seq=expected,
            said=f"events changed places: event {found} stands where event {expected} should be",
        )
    missing = (
        f"event {expected} is missing" if found == expected + 1 else f"events {expected} to {found - 1} are missing"
    )
    return Finding(fault="gap", seq=expected, said=missing)


def _changed(fault: Fault, seq: int, line: bytes, previous: bytes, after: bytes | None) -> Finding:
    """A line that stands where it should and does not fit: what of it was changed, as far as its successor tells."""
    if fault == "format" or not _is_event(line):
        return Finding(
            fault="format", seq=seq, said=f"what stands in the place of event {seq} is not an event as it is written"
        )
    if fault == "order":
        return Finding(fault="order", seq=seq, said=f"event {seq} is of another project")
    carried = bytes.fromhex(line[9:73].decode())
    computed = sha256(previous + line[PREFIX:-1]).digest()
    chained_to = {name: _follows(hash_, after) for name, hash_ in (("carried", carried), ("computed", computed))}
    what = f"event {seq} was changed after it was recorded"
    if chained_to["computed"]:
        what = f"the hash of event {seq} was changed after it was recorded"
    elif not chained_to["carried"] and after is not None:
        what = f"event {seq} does not fit the chain, nor does what follows it"
    return Finding(fault="edit", seq=seq, said=what)


def _follows(previous: bytes, line: bytes | None) -> bool:
    return line is not None and sha256(previous + line[PREFIX:-1]).hexdigest().encode() == line[9:73]


def _stands_between(line: bytes, seq: int, after: bytes | None) -> bool:
    """Whether the line after is the next event and builds on this one, so that this one is here and was renumbered."""
    carried = _LINE.fullmatch(line)
    return (
        carried is not None
        and after is not None
        and _number_of(after) == seq + 1
        and _follows(bytes.fromhex(carried[1].decode()), after)
    )


def _is_event(line: bytes) -> bool:
    try:
        return canonical(read(line[PREFIX:-1], b"")) == line[PREFIX:-1]
    except (msgspec.MsgspecError, ValueError):
        return False
