"""From rows of a dataset to the passages of an index, as Arrow batches. Pure: the same rows give the same passages."""

import math
from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from flyball.datasets.records import Row
from flyball.kit.hashing import bytes_hash

from .analysis import Fields, passage_fields
from .chunking import chunks
from .ranking import Statistics
from .records import ChunkSettings

MOST_USES = 300  # of a name that is used everywhere
LESS = 0.5  # by which a module's overview, or a signature without a docstring, is worth less than what explains a thing

PASSAGES = pa.schema(
    [
        ("chunk_id", pa.string()),
        ("document_id", pa.string()),
        ("title", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("document_hash", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("text", pa.string()),
        ("weight", pa.float32()),
        *((f"{name}_terms", pa.string()) for name in Fields._fields),  # terms, apart by spaces
    ]
)


def passages_of(rows: Iterable[Row], settings: ChunkSettings) -> pa.Table:
    """The passages of some rows, in their order."""
    found = [passage for row in rows for passage in _of_row(row, settings)]
    return pa.Table.from_pylist(found, schema=PASSAGES)


def _of_row(row: Row, settings: ChunkSettings) -> Iterable[dict[str, object]]:
    weight = _weight(row)
    for number, chunk in enumerate(chunks(row.text, settings)):
        text = row.text[chunk.start : chunk.end]
        fields = passage_fields(row.title, row.data, chunk.headings, text, first=number == 0)
        yield {
            "chunk_id": f"{row.row_id}#{number}",
            "document_id": row.row_id,
            "title": row.title,
            "source": row.source or (row.locations[0] if row.locations else ""),
            "licence": row.licence,
            "document_hash": row.document_hash,
            "start": chunk.start,
            "end": chunk.end,
            "text": text,
            "weight": weight,
            **{f"{name}_terms": " ".join(words) for name, words in fields._asdict().items()},
        }


def _weight(row: Row) -> float:
    """What a document is worth before anything is asked: more where it is used everywhere, less where it explains little."""
    uses = row.data.get("uses", 0)
    weight = min(1.0, math.log1p(uses) / math.log(MOST_USES)) if isinstance(uses, int) and uses > 0 else 0.0
    explains_little = row.data.get("kind") == "module" or row.data.get("documented") is False
    return weight - LESS if explains_little else weight


class Tally:
    """Counts what ranking needs to know, and chains the hash of the passages, batch by batch."""

    def __init__(self) -> None:
        self._frequencies: Counter[str] = Counter()
        self._lengths = [0] * len(Fields._fields)
        self.passages = 0
        self.documents = 0
        self.hash = bytes_hash(b"flyball passages")

    def add(self, batch: pa.Table) -> None:
        """Count one batch."""
        self.passages += batch.num_rows
        self.documents += sum(chunk_id.endswith("#0") for chunk_id in batch["chunk_id"].to_pylist())
        for row in batch.select([f"{name}_terms" for name in Fields._fields]).to_pylist():
            words = [text.split() for text in row.values()]
            self._frequencies.update({word for field in words for word in field})
            for position, field in enumerate(words):
                self._lengths[position] += len(field)
        places = batch.select(["chunk_id", "document_hash", "start", "end"]).to_pylist()
        said = "\n".join(f"{p['chunk_id']} {p['document_hash']} {p['start']} {p['end']}" for p in places)
        self.hash = bytes_hash(f"{self.hash}\n{said}".encode())

    def statistics(self) -> Statistics:
        """Over everything that was added."""
        most = max(self.passages, 1)
        return Statistics(
            passages=self.passages,
            lengths=tuple(length / most for length in self._lengths),
            frequencies=dict(sorted(self._frequencies.items())),
        )
