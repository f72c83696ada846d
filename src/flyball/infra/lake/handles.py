"""Opened Delta tables, kept so that asking again costs a look at the log's newest entries (1 ms) and not all of it (8 ms).

Knows folders and logs. A set of handles has one lock: readers and writers have a set each, so that neither waits for the other.
"""

import threading
from collections.abc import Callable

from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from .places import Place
from .schema import TableSchema


class Handles:
    """One handle per table. Hold `lock` while using what `open` returned."""

    def __init__(self, place_of: Callable[[TableSchema], Place]) -> None:
        self.lock = threading.RLock()
        self._place_of = place_of
        self._known: dict[str, DeltaTable] = {}

    def open(self, table: TableSchema) -> DeltaTable | None:
        """The table at its newest version; None where nothing was ever appended."""
        place, known = self._place_of(table), self._known.get(table.name)
        if (known is None or place.options is None) and not place.exists():
            self.forget(table)
            return None
        if known is not None:
            try:
                known.update_incremental()
            except DeltaError:  # the log was cleaned up behind this handle
                self.forget(table)
            else:
                return known
        try:
            delta = self._known[table.name] = _opened(place)
        except TableNotFoundError:
            return None
        return delta

    def open_or_create(self, table: TableSchema) -> DeltaTable:
        """The table at its newest version, made where it is missing, with the columns that it lacks added."""
        delta = self.open(table)
        if delta is None:
            history = f"interval {max(table.history_hours, 1)} hours"
            place = self._place_of(table)
            place.make()
            DeltaTable.create(
                place.url,
                storage_options=place.options,
                schema=Schema.from_arrow(table.arrow),
                mode="ignore",
                configuration={
                    "delta.logRetentionDuration": history,
                    "delta.deletedFileRetentionDuration": history,
                    "delta.checkpointInterval": "100",
                },
            )
            delta = self._known[table.name] = _opened(place)
        known = {field.name for field in delta.schema().fields}
        added = [field for field in Schema.from_arrow(table.arrow).fields if field.name not in known]
        if added:
            delta.alter.add_columns(added)
        return delta

    def forget(self, table: TableSchema) -> None:
        """Open it anew next time."""
        self._known.pop(table.name, None)


def _opened(place: Place) -> DeltaTable:
    return DeltaTable(place.url, storage_options=place.options)
