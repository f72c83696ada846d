"""What the flusher asks of whoever moves one kind of records."""

from typing import NamedTuple, Protocol

from flyball.infra.db.database import Connection, Row
from flyball.infra.lake.schema import TableSchema
from flyball.traces.batches import Batch


class Claimable(NamedTuple):
    """The oldest rows, as many as make one batch; `full` says that more wait behind them."""

    rows: list[Row]
    full: bool


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
