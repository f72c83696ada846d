"""What one execution retrieves: searching the variant's pinned index, remembering what was found, citing from it."""

from collections.abc import Callable

import msgspec

from flyball.indexes.records import IndexVersion, Passage
from flyball.kit.clock import Clock
from flyball.kit.errors import FlyballError

from .errors import VariantFailedError
from .records import Citation, PassageRef, PinnedVariant
from .spans import SpanLog

MOST_PASSAGES = 100
Search = Callable[[IndexVersion, str, int], list[Passage]]


class Passages:
    """The passages of one execution. Blocking: belongs into a thread."""

    def __init__(self, variant: PinnedVariant, search: Search, log: SpanLog, clock: Clock) -> None:
        self._where = f"function {variant.function!r}, variant {variant.name!r}"
        retrieval = variant.spec.get("retrieval")
        self._k = retrieval["k"] if retrieval else 0
        self._version = msgspec.convert(retrieval["version"], IndexVersion) if retrieval else None
        self._search = search
        self._log = log
        self._clock = clock
        self._found: dict[str, PassageRef] = {}

    @property
    def found(self) -> tuple[PassageRef, ...]:
        """Everything that was retrieved, in the order in which it came."""
        return tuple(self._found.values())

    def search(self, query: str, k: int | None = None) -> list[Passage]:
        """The best passages for a query, best first. Raises VariantFailedError where the variant declares no index."""
        version = self._indexed()
        most = max(1, min(k or self._k, MOST_PASSAGES))
        start_ns = self._clock.now_ns()
        try:
            passages = self._search(version, query, most)
        except FlyballError as error:
            self._log.retrieval(start_ns, query, most, (), error.message)
            raise
        references = [self.reference(passage) for passage in passages]
        for reference in references:
            self._found.setdefault(reference.chunk_id, reference)
        self._log.retrieval(start_ns, query, most, references)
        return passages

    def reference(self, passage: Passage) -> PassageRef:
        """The passage without its text."""
        version = self._indexed()
        return PassageRef(
            chunk_id=passage.chunk_id,
            document_id=passage.document_id,
            title=passage.title,
            document_hash=passage.document_hash,
            start=passage.start,
            end=passage.end,
            score=passage.score,
            index_version=version.id,
            dataset_version=version.dataset_version_id,
        )

    def cite(self, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
        """A citation of `passage.text[start:end]`. Raises VariantFailedError for a place outside of the passage."""
        version = self._indexed()
        end = len(passage.text) if end is None else end
        if not 0 <= start < end <= len(passage.text):
            raise VariantFailedError(
                f"{self._where}: cite({start}, {end}) lies outside of the passage, which has {len(passage.text)} characters",
                next_step="cite a part that the passage has, or `cite(passage)` for all of it",
            )
        return Citation(
            document_id=passage.document_id,
            title=passage.title,
            source=passage.source,
            licence=passage.licence,
            document_hash=passage.document_hash,
            start=passage.start + start,
            end=passage.start + end,
            quote=passage.text[start:end],
            index_version=version.id,
            dataset_version=version.dataset_version_id,
        )

    def _indexed(self) -> IndexVersion:
        if self._version is None:
            raise VariantFailedError(
                f"{self._where} retrieves, and declares no index",
                next_step="add `retrieval: {index: NAME}` to the variant",
            )
        return self._version
