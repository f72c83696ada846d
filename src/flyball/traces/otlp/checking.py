"""Which records of a request are kept, and what is said of the others. A record that is kept stays byte for byte as it was sent.

A request in which nothing is wrong is looked at once, as a whole. Where something is, or where it is large, it is cut
into its records. Knows how; what is wrong with a record is in `rules.py`.
"""

from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from .density import too_dense
from .rules import LATEST_NS, WRONG, in_time, points_of
from .signals import SIGNALS, Messages, Signal, said
from .splitting import ResourceGroup, ScopeGroup, groups_of, joined, too_many

WHOLE_BYTES = 1024 * 1024  # a request up to this is decoded at once
MOST_RECORDS = 200_000  # resources, scopes and records of a request
_LARGE_RECORD_BYTES = 256 * 1024  # one beyond is looked through before it is decoded
_FUTURE_NS = 24 * 3600 * 1_000_000_000  # a clock that is so far ahead is told to whoever runs it
_SHOWN = 3  # reasons that are told


class Checked(NamedTuple):
    """What is kept of a request and how many records that is, how many are not, and what is to be said of it ("": nothing)."""

    body: bytes
    kept: int
    rejected: int
    message: str


def check(signal: Signal, body: bytes, *, now_ns: int) -> Checked:
    """Look at every record.

    Raises:
        OtlpMalformedError: the body is no request of a signal at all.
        OtlpTooLargeError: it holds more records, points, or events and links of spans, than are looked at.
    """
    counts = _Counts(signal, now_ns)
    if len(body) <= WHOLE_BYTES and _is_whole(signal, body, counts):
        return counts.checked(body)
    cutting = _Cutting(signal, _Counts(signal, now_ns))
    return cutting.run(body)


def _is_whole(signal: Signal, body: bytes, counts: "_Counts") -> bool:
    """Whether nothing is wrong with any record; counts them."""
    messages, wrong, count = SIGNALS[signal], WRONG[signal], counts.keep
    try:
        request = messages.request.FromString(body)
    except DecodeError:
        return False
    _refuse_too_many(request, messages)
    for group in getattr(request, messages.groups):
        for scope in getattr(group, messages.scopes):
            for record in getattr(scope, messages.records):
                if wrong(record):
                    return False
                count(record)
    return True


def _refuse_too_many(request: Any, messages: Messages) -> None:
    """Count resources, scopes and records, and none of those below that are too many.

    None is held while the others are counted: protobuf finds the Python object of each in a table of those that live, whose
    look-ups are slow, at some addresses, when hundreds of thousands do.
    """
    groups = getattr(request, messages.groups)
    held = len(groups)
    if held > MOST_RECORDS:
        raise too_many(MOST_RECORDS)
    for group in groups:
        scopes = getattr(group, messages.scopes)
        held += len(scopes)
        if held > MOST_RECORDS:
            raise too_many(MOST_RECORDS)
        for scope in scopes:
            held += len(getattr(scope, messages.records))
        if held > MOST_RECORDS:
            raise too_many(MOST_RECORDS)


class _Counts:
    """How many records are kept and how many not, and the first reasons."""

    def __init__(self, signal: Signal, now_ns: int) -> None:
        self.rejected = 0
        self._signal = signal
        self._word = SIGNALS[signal].word
        self._future_ns = now_ns + _FUTURE_NS if signal == "traces" else LATEST_NS
        self._kept = self._ahead = self._beside = 0
        self._reasons: dict[str, int] = {}

    def keep(self, record: Any) -> None:
        """Count a record. Raises OtlpTooLargeError where the points, or the events and links, of all are too many."""
        if self._signal == "metrics":
            self._kept += len(points_of(record))
            if self._kept > MOST_RECORDS:
                raise too_many(MOST_RECORDS, "points")
            return
        self._kept += 1
        if self._signal == "traces":
            self._beside += len(record.events) + len(record.links)
            if self._beside > MOST_RECORDS:
                raise too_many(MOST_RECORDS, "events and links")
            if record.start_time_unix_nano > self._future_ns:
                self._ahead += 1

    def reject(self, count: int, reason: str) -> None:
        self.rejected += count
        if reason in self._reasons or len(self._reasons) < _SHOWN:
            self._reasons[reason] = self._reasons.get(reason, 0) + count

    def checked(self, body: bytes) -> Checked:
        sentences = []
        if self.rejected:
            told = [f"{count} × {reason}" if count > 1 else reason for reason, count in self._reasons.items()]
            if more := self.rejected - sum(self._reasons.values()):
                told.append(f"and {more} more")
            sentences.append(f"{self._counted(self.rejected)} not kept: {'; '.join(told)}")
        if self._ahead:
            sentences.append(
                f"{self._counted(self._ahead)} kept that began more than a day ahead of this server's clock"
            )
        return Checked(body, self._kept, self.rejected, ". ".join(sentences))

    def _counted(self, count: int) -> str:
        return f"{count} {self._word}{'s were' if count != 1 else ' was'}"


class _Cutting:
    """A request cut into its records, of which the valid ones are put together again."""

    def __init__(self, signal: Signal, counts: _Counts) -> None:
        self._signal = signal
        self._messages = SIGNALS[signal]
        self._wrong = WRONG[signal]
        self._counts = counts

    def run(self, body: bytes) -> Checked:
        groups = [self._group(body, group) for group in groups_of(body, most=MOST_RECORDS)]
        return self._counts.checked(joined([group for group in groups if group[1]]))

    def _group(self, body: bytes, group: ResourceGroup) -> tuple[bytes, list[tuple[bytes, list[bytes]]]]:
        problem = _wrong_with(self._messages.of_resource, group.header)
        because = f"the resource of {self._messages.word}s {problem}" if problem else ""
        scopes = [(scope.header, self._scope(body, scope, because)) for scope in group.scopes]
        return group.header, [scope for scope in scopes if scope[1]]

    def _scope(self, body: bytes, scope: ScopeGroup, because: str) -> list[bytes]:
        if not because and (problem := _wrong_with(self._messages.of_scope, scope.header)):
            because = f"the scope of {self._messages.word}s {problem}"
        kept = []
        for begin, end in scope.records:
            data = body[begin:end]
            if because:
                self._counts.reject(1, because)
            elif (as_kept := self._record(data)) is not None:
                kept.append(as_kept)
        return kept

    def _record(self, data: bytes) -> bytes | None:
        """The record as it was sent, or less some points; None where nothing of it can be kept."""
        if problem := _wrong_with(self._messages.record, data):
            self._counts.reject(1, f"a {self._messages.word} {problem}")
            return None
        record = self._messages.record.FromString(data)
        if not (problem := self._wrong(record)):
            self._counts.keep(record)
            return data
        if self._signal == "metrics":
            return self._some_points(record, problem)
        self._counts.reject(1, problem)
        return None

    def _some_points(self, metric: Any, problem: str) -> bytes | None:
        points = points_of(metric)
        bad = [place for place, point in enumerate(points) if not in_time(point) or not metric.name]
        self._counts.reject(max(1, len(bad)), problem)
        for place in reversed(bad):
            del points[place]
        if not points:
            return None
        self._counts.keep(metric)
        return said(metric)


def _wrong_with(message: type[Any], data: bytes) -> str:
    """Why bytes are not this message; "": they are."""
    if len(data) > _LARGE_RECORD_BYTES and (problem := too_dense(message.DESCRIPTOR, data)):
        return problem
    try:
        message.FromString(data)
    except DecodeError as error:
        if "UTF-8" in str(error):
            return "holds text that is not UTF-8"
        return "nests deeper than protobuf allows" if "MaxDepth" in str(error) else "cannot be decoded"
    return ""
