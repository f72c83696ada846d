"""`why`: the chain behind the answers of one trace. The story; the links themselves are made by the files beside it.

Knows how a call's spans hang together: the gateway's span, under it the variant's, under that retrieval and models.
"""

from flyball.infra.context import Context
from flyball.kit.clock import to_datetime
from flyball.kit.hashing import bytes_hash
from flyball.traces import service as traces
from flyball.traces.errors import PayloadNotFoundError
from flyball.traces.records import APPLICATION, Score, SpanRow, TraceTree

from .governance import release_links
from .making import model_call_links, variant_links
from .records import Link, Why, missing
from .sources import source_links


async def why(ctx: Context, trace_id: str) -> Why:
    """Everything that the answers of a trace rest on. Raises TraceNotFoundError."""
    tree = await traces.wait_for_trace(ctx, trace_id)
    # What an application says of its own work is shown in the trace; it is no evidence for what flyball served.
    spans = [node.span for node in tree.nodes if node.span.scope != APPLICATION]
    calls = [span for span in spans if span.kind == "gateway"] or [
        span for span in spans if span.kind == "variant" and span.entry
    ]
    links: list[Link] = []
    for call in calls:
        links += await _call_links(ctx, call, spans)
    if not calls:
        links.append(
            missing("answer", 0, f"no span of the trace {tree.trace.name!r} is a call of a function or a model")
        )
    return Why(trace_id=trace_id, links=(*links, *_score_links(tree)))


async def _call_links(ctx: Context, call: SpanRow, spans: list[SpanRow]) -> list[Link]:
    links = [await _answer_link(ctx, call)]
    below = [span for span in spans if span.parent_id == call.span_id]
    variant = call if call.kind == "variant" else next((span for span in below if span.kind == "variant"), None)
    if not call.function:
        return links + model_call_links(call, below)
    links += await release_links(ctx, call)
    links += await variant_links(ctx, call)
    links += await source_links(ctx, variant)
    return links


async def _answer_link(ctx: Context, call: SpanRow) -> Link:
    facts = {
        "text": call.output_preview,
        "question": call.input_preview,
        "function": call.function,
        "at": to_datetime(call.end_ns).isoformat(),
        "milliseconds": round(call.duration_ns / 1e6, 3),
        "key": call.attributes.get("key", "") or call.key_id,
        "status": call.status,
    }
    title = f"answer of {call.function or call.model_requested or call.name}"
    if call.error:
        facts["error"] = call.error
    if not call.output_ref:
        hash_ = bytes_hash(call.output_preview.encode())
        note = "the text stands in the span itself; its hash was made now"
        return Link(kind="answer", title=title, depth=0, id=call.trace_id, hash=hash_, note=note, facts=facts)
    try:
        text = await traces.get_text(ctx, call.trace_id, call.span_id, "output")
    except PayloadNotFoundError as error:
        note, verified = error.message, None
    else:
        note, verified = "", bytes_hash(text.encode()) == call.output_ref
    return Link(
        kind="answer",
        title=title,
        depth=0,
        id=call.trace_id,
        hash=call.output_ref,
        verified=verified,
        note=note,
        facts=facts,
    )


def _score_links(tree: TraceTree) -> list[Link]:
    return [_score_link(score) for score in tree.scores]


def _score_link(score: Score) -> Link:
    said = score.label or ("" if score.value is None else str(score.value))
    facts = {
        "value": score.value,
        "by": score.annotator_id,
        "comment": score.explanation,
        "correction": score.correction,
        "at": to_datetime(score.created_ns).isoformat(),
    }
    return Link(
        kind="score",
        title=f"{score.name} {said}".strip(),
        depth=0,
        id=score.score_id,
        note="a judgement of the answer, made after it",
        facts={name: value for name, value in facts.items() if value not in {"", None}},
    )
