"""How much is acknowledged and not yet in the tables, and how much room the disk has: the figures by which ingest slows down.

One look costs a millisecond or two; ingest takes one a second and judges requests by it. Knows no bound: whoever refuses
does. Light: it needs neither tables nor pyarrow.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from flyball.infra.db.database import Connection, fetch_one
from flyball.kit.layout import Layout
from flyball.settings import Settings

_FILE = "file://"

_WAITING = """
    select
        (select count(*) from inbox_batches)::bigint as requests,
        (select coalesce(sum(records), 0) from inbox_batches)::bigint as records,
        (select coalesce(sum(size), 0) from inbox_batches)::bigint as bytes,
        (select min(received_ns) from inbox_batches) as oldest_batch_ns,
        (select count(*) from inbox)::bigint as rows,
        (select min(received_ns) from inbox) as oldest_row_ns
"""


class Pressure(NamedTuple):
    """What waits: requests of OTLP with their records and their bytes unpacked, rows of the gateway and the API; since when; and the disk."""

    requests: int
    records: int
    bytes: int
    rows: int
    lag_ns: int
    disk_free: int
    disk_total: int


async def look(connection: Connection, settings: Settings, *, now_ns: int) -> Pressure:
    """The figures of all projects together. Give a connection that sees every project."""
    found = await fetch_one(connection, _WAITING) or {}
    oldest = [time for name in ("oldest_batch_ns", "oldest_row_ns") if (time := found.get(name)) is not None]
    free, total = room(settings)
    return Pressure(
        requests=found.get("requests", 0),
        records=found.get("records", 0),
        bytes=found.get("bytes", 0),
        rows=found.get("rows", 0),
        lag_ns=max(0, now_ns - min(oldest)) if oldest else 0,
        disk_free=free,
        disk_total=total,
    )


def room(settings: Settings) -> tuple[int, int]:
    """Free and all bytes of the disk with the least room among those that hold the database, the tables and large payloads."""
    layout = Layout(settings.data_path)
    folders = [layout.root, *(Path(url.removeprefix(_FILE)) for url in _local(settings))]
    disks = [shutil.disk_usage(folder) for folder in folders if folder.exists()]
    tightest = min(disks, key=lambda disk: disk.free)
    return tightest.free, tightest.total


def _local(settings: Settings) -> list[str]:
    return [url for url in (settings.lake_url, settings.blobs_url) if url.startswith(_FILE)]
