"""Running a prompt variant: retrieve, render, call the model, cite the passages that the answer names."""

import asyncio
import re
from typing import Any

import msgspec

from flyball.indexes.records import Passage
from flyball.models import pricing
from flyball.models.pricing import Cost
from flyball.models.records import ModelSpec, Prices
from flyball.prompts import template
from flyball.prompts.records import RenderedMessage

from .completion import OnDelta, Try
from .errors import InputMismatchError, VariantTimedOutError
from .fields import single_text_field
from .passages import Passages
from .records import Answer, Citation, Input, PinnedVariant
from .rules import RaisedInThreadError, in_thread
from .spans import SpanLog
from .tools import Tools

PASSAGES = "passages"  # the variable under which a template finds what was retrieved
_RENDERING_SECONDS = 5.0
_MARK = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


async def run_prompt(
    variant: PinnedVariant, input_: Input, *, tools: Tools, passages: Passages, log: SpanLog, on_delta: OnDelta | None
) -> Answer:
    """One answer of the variant's model. Raises FlyballError."""
    spec = variant.spec
    found = await _retrieve(variant, input_, passages)
    messages = await _rendered(variant, _variables(spec, input_, found))
    model = msgspec.convert(spec["model"]["spec"], ModelSpec)
    tries: list[Try] = []
    try:
        done = await tools.models.complete(
            spec["model"]["name"], model, messages, spec["parameters"], on_delta, project=log.project, tries=tries
        )
    finally:
        for number, one in enumerate(tries, 1):
            log.llm(number, messages, one, _cost(one, model.prices))
    cost = pricing.cost(done.usage, model.prices)
    return Answer(
        text=done.text,
        citations=_cited(done.text, found, passages),
        passages=passages.found,
        usage=done.usage,
        cost_nano_usd=cost.nano_usd,
        price_version=cost.price_version,
        finish_reason=done.finish_reason,
        model=spec["model"]["name"],
    )


def _cost(one: Try, prices: Prices | None) -> Cost:
    """What an attempt cost: nothing where nobody began to answer it."""
    cost = pricing.cost(one.usage, prices)
    return cost if one.usage or one.begun else Cost(0, cost.price_version)


async def _rendered(variant: PinnedVariant, variables: dict[str, Any]) -> list[RenderedMessage]:
    """The conversation; in a thread, because loops of a template may go on for as long as they like."""
    where, prompt = f"function {variant.function!r}, variant {variant.name!r}", variant.spec["prompt"]

    def work() -> list[RenderedMessage]:
        return template.render(prompt["source"], variables, prompt["path"])

    try:
        return await in_thread(work, _RENDERING_SECONDS, name=where)
    except RaisedInThreadError as raised:
        raise raised.error from None
    except TimeoutError:
        raise VariantTimedOutError(
            f"{where}: filling {prompt['path']} took longer than {_RENDERING_SECONDS:g} s",
            next_step="give shorter lists, or loop less in the template",
        ) from None


async def _retrieve(variant: PinnedVariant, input_: Input, passages: Passages) -> list[Passage]:
    retrieval = variant.spec["retrieval"]
    if retrieval is None:
        return []
    field = retrieval["query"] or single_text_field(variant.spec["input"])
    query = input_.get(field) if field else None
    if not isinstance(query, str):
        raise InputMismatchError(
            f"the variant {variant.name!r} of {variant.function!r} finds no text in its input to search by",
            next_step="name the input field: `retrieval: {index: ..., query: FIELD}`",
        )
    return await asyncio.to_thread(passages.search, query)


def _variables(spec: dict[str, Any], input_: Input, found: list[Passage]) -> dict[str, Any]:
    """The input's fields, None for optional ones that were not given, and the passages with the numbers to cite them by."""
    optional = dict.fromkeys(spec["input"].get("properties", {}))
    numbered = [
        {
            "number": number,
            "title": passage.title,
            "text": passage.text,
            "source": passage.source,
            "licence": passage.licence,
        }
        for number, passage in enumerate(found, start=1)
    ]
    return {**optional, **input_, PASSAGES: numbered}


def _cited(text: str, found: list[Passage], passages: Passages) -> tuple[Citation, ...]:
    """The passages whose numbers the answer names in brackets, as `[2]` or `[1, 3]`, each once."""
    numbers = [int(number) for mark in _MARK.findall(text) for number in mark.split(",")]
    named = [found[number - 1] for number in dict.fromkeys(numbers) if 1 <= number <= len(found)]
    return tuple(passages.cite(passage) for passage in named if passage.text)
