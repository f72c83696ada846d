"""The route of questions in SQL: here, because their tables are those of rooms that do not know each other."""

import msgspec

from flyball.audit import service as audit
from flyball.ledger.table import newest_entries
from flyball.surface.http import Body, ContextDep, Router
from flyball.traces import questions
from flyball.traces.questions import Answer, Offered

router = Router("/api", tag="traces")

OFFERED = (Offered("ledger", "ledger.read", newest_entries),)


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SELECT over `spans`, `scores`, `ledger` and `audit`."""

    sql: str
    limit: int = 1_000


@router.post("/sql", permission="traces.read", returns=Answer)
async def ask(ctx: ContextDep, question: Question = Body(Question)) -> Answer:
    """Answer one SELECT over the project's `spans`, `scores`, `ledger` and `audit`; reads only. Asking is recorded, once an hour."""
    await audit.record_read(ctx, action="traces.ask", object_kind="table", object_id="texts")
    return await questions.ask(ctx, question.sql, limit=question.limit, offered=OFFERED)
