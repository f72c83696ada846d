"""The spans of one execution: the variant's own, and under it retrieval and model calls. Knows no transport."""

from collections.abc import Sequence
from typing import Any

import msgspec

from flyball.kit.clock import Clock
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.llm.usage import Usage
from flyball.models.pricing import Cost
from flyball.prompts.records import RenderedMessage
from flyball.traces.records import Span

from .completion import Completion, Try
from .records import Answer, CallIds, Input, PassageRef, PinnedVariant


class SpanLog:
    """Collects spans. One per execution; rules append from their own thread."""

    def __init__(self, variant: PinnedVariant, input_: Input, ids: CallIds | None, clock: Clock) -> None:
        self._variant = variant
        self._input = input_
        self._ids = ids or CallIds(project="", trace_id=new_trace_id(), parent_id="")
        self._clock = clock
        self._id = new_span_id()
        self._start_ns = clock.now_ns()
        self._children: list[Span] = []

    @property
    def project(self) -> str:
        """Whose execution it is; empty where that goes without saying."""
        return self._ids.project

    def retrieval(self, start_ns: int, query: str, k: int, found: Sequence[PassageRef], error: str = "") -> None:
        """One search of the variant's index."""
        retrieval = self._variant.spec["retrieval"]
        attributes = {
            "index": retrieval["index"],
            "index_version": retrieval["version"]["id"],
            "index_hash": retrieval["version"]["hash"],
            "k": k,
            "passages": msgspec.to_builtins(found),
        }
        titles = "\n".join(passage.title for passage in found)
        self._children.append(
            self._span(
                start_ns,
                name=f"retrieve {retrieval['index']}",
                kind="retrieval",
                error=error,
                input=query,
                output=titles,
                cost_nano_usd=0,
                attributes=attributes,
            )
        )

    def llm(self, number: int, messages: Sequence[RenderedMessage], one: Try, cost: Cost) -> None:
        """One attempt at the model, by its number."""
        prompt, model = self._variant.spec["prompt"], self._variant.spec["model"]
        done = one.completion or Completion()
        self._children.append(
            self._span(
                one.start_ns,
                end_ns=one.end_ns,
                name=f"complete {model['name']}",
                kind="llm",
                kind_otel="client",
                error=one.error,
                provider=one.endpoint.provider,
                model_requested=one.endpoint.model,
                model_response=done.model_response,
                usage=one.usage or Usage(),
                usage_raw=done.usage_raw,
                cost_nano_usd=cost.nano_usd,
                price_version=cost.price_version,
                prompt_name=prompt["name"],
                prompt_version=str(prompt["version"]),
                input=msgspec.json.encode(messages).decode(),
                output=done.text,
                attributes={
                    "prompt_hash": prompt["hash"],
                    "model": model["name"],
                    "model_hash": model["hash"],
                    "parameters": self._variant.spec["parameters"],
                    "attempt": number,
                    **({"usage_estimated": True} if one.usage and one.usage.estimated else {}),
                },
            )
        )

    def close(self, answer: Answer | None, error: str = "") -> tuple[Span, ...]:
        """The variant's own span, then its children."""
        attributes: dict[str, Any] = {"kind": self._variant.kind}
        if answer is not None:
            attributes |= {
                "citations": msgspec.to_builtins(answer.citations),
                "passages": msgspec.to_builtins(answer.passages),
                "output": msgspec.to_builtins(answer.output),
                "finish_reason": answer.finish_reason,
            }
        own = self._span(
            self._start_ns,
            span_id=self._id,
            parent_id=self._ids.parent_id,
            name=f"{self._variant.function} / {self._variant.name}",
            kind="variant",
            error=error,
            input=msgspec.json.encode(self._input).decode(),
            output=answer.text if answer else "",
            cost_nano_usd=0,  # of its own: what the model cost stands on the model's span
            attributes=attributes,
        )
        return (own, *self._children)

    def _span(self, start_ns: int, *, error: str, **fields: Any) -> Span:
        named: dict[str, Any] = {
            "trace_id": self._ids.trace_id,
            "span_id": new_span_id(),
            "parent_id": self._id,
            "project": self._ids.project,
            "start_ns": start_ns,
            "end_ns": max(start_ns, self._clock.now_ns()),
            "status": "error" if error else "ok",
            "error": error,
            "function": self._variant.function,
            "variant": self._variant.name,
            "variant_hash": self._variant.hash,
            "release": self._ids.release,
        }
        return Span(**named | fields)
