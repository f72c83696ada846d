"""The rows of a dataset version as the items that an evaluation asks. Knows rows; knows neither variants nor scorers."""

from flyball.datasets import reading
from flyball.datasets.records import Row
from flyball.infra.context import Context

from .records import Item
from .reports import DatasetRef


async def between(ctx: Context, dataset: DatasetRef, first: int, count: int) -> list[Item]:
    """`count` items from position `first` on, in the version's order."""
    version = await reading.get_version_by_id(ctx, dataset.version_id)
    return [_item(row) for row in await reading.read_rows(ctx, version, first=first, count=count)]


def _item(row: Row) -> Item:
    return Item(position=row.position, id=row.row_id, hash=row.hash, row=row.data)
