"""Scores: appended, never changed. Under one target, name and identifier the newest one counts.

Knows how judgements supersede each other and how they are listed. Knows not what they are about.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, execute
from flyball.kit.hashing import content_hash
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import inbox, mending
from .pruning import of_project
from .records import Score, ScoreFilter
from .tables import SCORES, read_score

_END = 2**62
_MOST_WAITING = 2_000

_NEWEST = """
    select * from scores
    where project = $project and created_ns <= $until and ($name = '' or name = $name)
        and ($trace_id = '' or trace_id = $trace_id)
        and (created_ns < $until or score_id < $score_id)
    order by created_ns desc, score_id desc limit $most
"""

_SINCE = """
    select * from scores where project = $project and name = $name and created_ns >= $since
    order by created_ns desc, score_id desc limit $most
"""


_FIND = """
    select * from scores where project = $project and created_ns >= $since_ns and created_ns <= $until_ns
        and ($name = '' or name = $name) and ($trace_id = '' or trace_id = $trace_id)
        and ($target_kind = '' or target_kind = $target_kind) and ($target_id = '' or target_id = $target_id)
    order by created_ns desc, score_id desc limit $most
"""


async def append(connection: Connection, score: Score, *, now_ns: int) -> bool:
    """Append a score; False when its identifier says the same already."""
    if score.identifier and not await _is_news(connection, score):
        return False
    return await inbox.append(connection, [inbox.score_item(score)], now_ns=now_ns) > 0


def that_count(scores: Iterable[Score]) -> tuple[Score, ...]:
    """The newest score under each target, name and identifier, newest first. One without identifier stands for itself."""
    newest: dict[tuple[str, str, str, str], Score] = {}
    for score in sorted(scores, key=lambda score: (score.created_ns, score.score_id)):
        newest[score.target_kind, score.target_id, score.name, score.identifier or score.score_id] = score
    return tuple(sorted(newest.values(), key=lambda score: (-score.created_ns, score.score_id)))


async def list_scores(
    ctx: Context, *, name: str = "", trace_id: str = "", cursor: str = "", limit: int | None = None
) -> Page[Score]:
    """The project's scores, newest first, superseded ones included."""
    until, after_id = decode_cursor(cursor, int, str) if cursor else (_END, "")
    size = page_size(limit)
    async with ctx.db.connection() as connection:
        rows = await inbox.newest(connection, ctx.project, "score", until_ns=until + 1, most=_MOST_WAITING)
    wanted = {"name": name, "trace_id": trace_id, "until": until, "score_id": after_id, "most": size + 1}
    stored = await asyncio.to_thread(
        ctx.lake.query,
        _NEWEST,
        wanted | {"project": ctx.project},
        tables=(SCORES,),
        where={"scores": f"{of_project(ctx.project)} and created_ns <= {until}"},
    )
    found = {row["score_id"]: read_score(row) for row in stored}
    for score in map(mending.read_score, rows):
        fits = name in {"", score.name} and trace_id in {"", score.trace_id}
        if fits and (score.created_ns, score.score_id) < (until, after_id):
            found[score.score_id] = score
    ordered = sorted(found.values(), key=lambda score: (score.created_ns, score.score_id), reverse=True)
    shown = tuple(ordered[:size])
    more = len(ordered) > size
    return Page(items=shown, next=encode_cursor(shown[-1].created_ns, shown[-1].score_id) if more else None)


async def newest_of(ctx: Context, name: str, *, since_ns: int, most: int) -> tuple[Score, ...]:
    """The project's scores of a name that count, given since a time; of very many the newest."""
    async with ctx.db.connection() as connection:
        rows = await inbox.newest(connection, ctx.project, "score", since_ns=since_ns, most=most)
    stored = await asyncio.to_thread(
        ctx.lake.query,
        _SINCE,
        {"project": ctx.project, "name": name, "since": since_ns, "most": most},
        tables=(SCORES,),
        where={"scores": f"{of_project(ctx.project)} and created_ns >= {since_ns}"},
    )
    waiting = [score for score in map(mending.read_score, rows) if score.name == name]
    found = {score.score_id: score for score in [*map(read_score, stored), *waiting]}
    return that_count(found.values())[:most]


async def find(ctx: Context, wanted: ScoreFilter, *, most: int) -> tuple[Score, ...]:
    """The scores that count and fit, newest first; of very many the newest."""
    async with ctx.db.connection() as connection:
        rows = await inbox.newest(
            connection, ctx.project, "score", since_ns=wanted.since_ns, until_ns=wanted.until_ns, most=most
        )
    stored = await asyncio.to_thread(
        ctx.lake.query,
        _FIND,
        msgspec.structs.asdict(wanted) | {"project": ctx.project, "most": most},
        tables=(SCORES,),
        where={"scores": f"{of_project(ctx.project)} and created_ns >= {wanted.since_ns}"},
    )
    waiting = [score for score in map(mending.read_score, rows) if _fits(score, wanted)]
    found = {score.score_id: score for score in [*map(read_score, stored), *waiting]}
    return that_count(found.values())[:most]


def _fits(score: Score, wanted: ScoreFilter) -> bool:
    said = ("name", "trace_id", "target_kind", "target_id")
    return all(getattr(wanted, name) in {"", getattr(score, name)} for name in said)


async def _is_news(connection: Connection, score: Score) -> bool:
    words: dict[str, Any] = {"value": score.value, "label": score.label, "text": [score.explanation, score.correction]}
    if score.attributes:
        words["attributes"] = msgspec.json.encode(score.attributes, order="sorted").decode()
    said = content_hash(words)
    changed = await execute(
        connection,
        """
        insert into score_identifiers (project, target_kind, target_id, name, identifier, digest, score_id)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (project, target_kind, target_id, name, identifier)
        do update set digest = excluded.digest, score_id = excluded.score_id
        where score_identifiers.digest <> excluded.digest
        """,
        score.project,
        score.target_kind,
        score.target_id,
        score.name,
        score.identifier,
        said,
        score.score_id,
    )
    return changed > 0
