"""The ledger as a table for questions in SQL: the newest entries of a project. Heavy: it needs pyarrow, so no door imports it."""

import pyarrow as pa

from flyball.infra.context import Context

from . import entry_store

MOST_ENTRIES = 100_000
_TEXTS = (
    "id", "trace_id", "key_id", "member_id", "function", "variant", "release", "model", "provider", "upstream_model", "state",
    "price_version",
)  # fmt: skip
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXTS]
    + [("tags", pa.list_(pa.string())), ("estimated", pa.bool_())]
    + [
        (name, pa.int64())
        for name in (
            "at_ns", "settled_ns", "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens",
            "audio_input_tokens", "output_tokens", "reasoning_tokens", "audio_output_tokens", "web_searches", "tokens",
            "nano_usd", "requests",
        )
    ]
)  # fmt: skip


async def newest_entries(ctx: Context) -> pa.Table:
    """The project's newest 100,000 entries."""
    async with ctx.db.connection() as connection:
        rows = await entry_store.plain_rows(connection, ctx.project, MOST_ENTRIES)
    return pa.Table.from_pylist(rows, schema=_SCHEMA)
