"""What the answer rests on: the index version, the passages, the dataset version, the documents with their licences.

Knows how a citation leads to a place in a document. Reads each content again and recomputes its hash.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from flyball.datasets import reading
from flyball.datasets import store as datasets
from flyball.datasets.records import DatasetVersion, Row
from flyball.datasets.rows import DATASET_ROWS, first_hash, next_hash
from flyball.functions.records import Citation, PassageRef
from flyball.indexes import store as indexes
from flyball.indexes.records import IndexVersion
from flyball.infra.context import Context
from flyball.kit.clock import to_datetime
from flyball.kit.hashing import bytes_hash
from flyball.traces.records import SpanRow

from .records import Link, missing

MOST_ROWS = 200_000  # of a dataset version whose hash is recomputed while somebody waits
_SHOWN_QUOTE = 160


class _Used(NamedTuple):
    """A place that the answer cites or was given."""

    document_id: str
    title: str
    document_hash: str
    start: int
    end: int
    index_version: str
    dataset_version: str
    quote: str  # "" for a passage that was retrieved and not cited


async def source_links(ctx: Context, variant: SpanRow | None) -> list[Link]:
    """Under the variant: the index it searched, what it cites, and where that comes from."""
    if variant is None:
        return [missing("passage", 2, "the variant's own span is not recorded")]
    try:
        used = _used(variant)
    except msgspec.ValidationError as error:
        return [missing("passage", 2, f"the variant's span holds citations that cannot be read: {error}")]
    if not used:
        return [missing("passage", 2, "the variant retrieved nothing")]
    links: list[Link] = []
    for version_id in dict.fromkeys(place.index_version for place in used):
        links += await _index_links(ctx, version_id, [place for place in used if place.index_version == version_id])
    return links


def _used(variant: SpanRow) -> list[_Used]:
    """What is cited; where nothing is, what was retrieved."""
    citations = msgspec.convert(variant.attributes.get("citations") or [], tuple[Citation, ...])
    if citations:
        return [
            _Used(c.document_id, c.title, c.document_hash, c.start, c.end, c.index_version, c.dataset_version, c.quote)
            for c in citations
        ]
    passages = msgspec.convert(variant.attributes.get("passages") or [], tuple[PassageRef, ...])
    return [
        _Used(p.document_id, p.title, p.document_hash, p.start, p.end, p.index_version, p.dataset_version, "")
        for p in passages
    ]


async def _index_links(ctx: Context, version_id: str, used: list[_Used]) -> list[Link]:
    async with ctx.db.connection() as connection:
        index = await indexes.get_version_by_id(connection, ctx.project, version_id)
        version_ids = list(dict.fromkeys(place.dataset_version for place in used))
        versions = {id_: await datasets.get_version_by_id(connection, ctx.project, id_) for id_ in version_ids}
    links = [_index_link(index) if index else missing("index", 2, f"the index version {version_id} is gone")]
    for id_, version in versions.items():
        places = [place for place in used if place.dataset_version == id_]
        if version is None:
            links.append(missing("dataset", 3, f"the dataset version {id_} is gone"))
            continue
        rows = {place.document_id: await reading.get_row(ctx, version, place.document_id) for place in places}
        links += [_passage_link(place, rows[place.document_id]) for place in places]
        links.append(await _dataset_link(ctx, version, index))
        links += [_document_link(id_, row) for id_, row in rows.items()]
    return links


def _index_link(index: IndexVersion) -> Link:
    return Link(
        kind="index",
        title=f"{index.name} version {index.version}",
        depth=2,
        id=index.id,
        hash=index.hash,
        note="the hash is the one that the variant pins; building the index again proves it",
        facts={
            "documents": index.documents,
            "chunks": index.chunks,
            "engine": index.settings.engine,
            "dataset_hash": index.dataset_hash,
            "built_at": to_datetime(index.created_ns).isoformat(),
        },
    )


def _passage_link(place: _Used, row: Row | None) -> Link:
    facts: dict[str, Any] = {"document": place.document_id, "start": place.start, "end": place.end}
    if row is None:
        verified, note, text = None, "the document is not in the dataset version any more", place.quote
    else:
        text = row.text[place.start : place.end]
        same = bytes_hash(row.text.encode()) == place.document_hash
        verified = same and (not place.quote or text == place.quote)
        note = "" if verified else "the document's text at this place is not what was cited"
    quote = place.quote or text
    facts["quote" if place.quote else "retrieved"] = (
        quote if len(quote) <= _SHOWN_QUOTE else quote[: _SHOWN_QUOTE - 1] + "…"
    )
    return Link(
        kind="passage",
        title=f"{place.title} [{place.start}:{place.end}]",
        depth=3,
        id=f"{place.document_id}[{place.start}:{place.end}]",
        hash=bytes_hash(quote.encode()),
        verified=verified,
        note=note,
        facts=facts,
    )


async def _dataset_link(ctx: Context, version: DatasetVersion, index: IndexVersion | None) -> Link:
    problems = []
    verified: bool | None = None
    note = f"not recomputed while you wait: it has more than {MOST_ROWS:,} rows"
    if version.rows <= MOST_ROWS:
        found = await asyncio.to_thread(_chained, ctx, version)
        verified, note = found == version.hash, ""
        if not verified:
            problems.append("its rows do not give its hash")
    if index is not None and index.dataset_hash != version.hash:
        verified = False
        problems.append(f"the index was built from {index.dataset_hash}")
    return Link(
        kind="dataset",
        title=f"{version.dataset} version {version.version}",
        depth=3,
        id=version.id,
        hash=version.hash,
        verified=verified,
        note="; ".join(problems) or note,
        facts={
            "rows": version.rows,
            "licences": version.licences,
            "source": msgspec.to_builtins(version.source) if version.source else None,
            "parents": [f"{parent.kind} {parent.id}" for parent in version.parents],
            "imported_at": to_datetime(version.created_ns).isoformat(),
            "imported_by": version.created_by,
        },
    )


def _document_link(document_id: str, row: Row | None) -> Link:
    if row is None:
        return missing("document", 4, f"the document {document_id} is not in the dataset version")
    return Link(
        kind="document",
        title=row.title or document_id,
        depth=4,
        id=document_id,
        hash=row.document_hash,
        verified=bytes_hash(row.text.encode()) == row.document_hash,
        facts={"licence": row.licence, "source": row.source, "locations": list(row.locations)},
    )


def _chained(ctx: Context, version: DatasetVersion) -> str:
    """The hash of the version, recomputed from the hashes of its rows."""
    project = version.project.replace("'", "''")
    rows = ctx.lake.query(
        """
        select hash from dataset_rows
        where project = $project and dataset_id = $dataset_id and part_id in (select unnest($parts)) order by position
        """,
        {
            "project": version.project,
            "dataset_id": version.dataset_id,
            "parts": [part.id for part in version.parts],
        },
        tables=(DATASET_ROWS,),
        where={"dataset_rows": f"project = '{project}' and dataset_id = '{version.dataset_id}'"},
    )
    return _chain(first_hash(version.kind), (row["hash"] for row in rows))


def _chain(hash_: str, row_hashes: Iterable[str]) -> str:
    for row_hash in row_hashes:
        hash_ = next_hash(hash_, row_hash)
    return hash_
