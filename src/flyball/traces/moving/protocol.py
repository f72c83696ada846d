"""What the flusher asks of whoever moves one kind of records."""

from typing import NamedTuple, Protocol

from flyball.infra.db.database import Connection, Row
from flyball.infra.lake.schema import TableSchema
from flyball.traces.aside_store import Unmovable
from flyball.traces.batches import Batch


class Claimable(NamedTuple):
    """The oldest rows, as many as make one batch; `full` says that more wait behind them."""

    rows: list[Row]
    full: bool


class Rest(NamedTuple):
    """What is left of a request of which records were taken: its body packed, how large that is unpacked, how many records."""

    body: bytes
    size: int
    records: int


class Sifted(NamedTuple):
    """Of one row of an inbox: what can be moved (None: nothing), and what cannot. Nothing unmovable: the row is sound."""

    rest: Rest | None
    unmovable: list[Unmovable]


class Mover(Protocol):
    """Moves the records of one kind, whose batches are numbered by themselves."""

    kind: str
    table: TableSchema  # the one whose transactions tell how far this kind has come

    async def oldest(self, connection: Connection) -> Claimable:
        """What the next batch is made of: rows with an `id`."""
        ...

    async def move(self, connection: Connection, batch: Batch) -> None:
        """Write the batch to its tables, then delete its rows; safe to repeat after any failure."""
        ...

    async def sift(self, connection: Connection, id_: int, *, whole: Exception | None) -> Sifted:
        """Find the records of a row that cannot be moved, by trying and writing nothing.

        Where they all can be, and `whole` says why the row cannot, the row as a whole is what cannot.
        """
        ...

    async def take_out(self, connection: Connection, id_: int, rest: Rest | None) -> None:
        """Leave the rest in the row's place, or nothing. Call it in a transaction."""
        ...
