"""Running one pinned variant: the same call and the same answer whatever its kind. Heavy: in runners and workers only."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from flyball.kit.errors import FlyballError, UnavailableError
from flyball.llm.errors import UpstreamTimeoutError
from flyball.traces.records import Span

from .availability import missing_index
from .completion import OnDelta
from .errors import (
    DeclarationError,
    InputMismatchError,
    OutputMismatchError,
    VariantError,
    VariantFailedError,
    VariantTimedOutError,
    VariantUnavailableError,
)
from .fields import single_text_field
from .passages import Passages
from .prompting import run_prompt
from .records import Answer, CallIds, Input, PinnedVariant, Schema
from .references import parse_reference
from .rules import run_rule
from .schemas import check_input, check_output
from .spans import SpanLog
from .tools import Tools

_LARGE_INPUT = 64 * 1024  # bytes; a larger one is held against its schema in a thread, so that other runs go on


async def run_variant(
    variant: PinnedVariant,
    input_: Input,
    *,
    tools: Tools,
    ids: CallIds | None = None,
    on_delta: OnDelta | None = None,
    when_cancelled: Callable[[tuple[Span, ...]], None] | None = None,
) -> Answer:
    """The variant's answer to one input, with its citations and spans.

    `ids` says where in a trace the spans hang; without it they form a trace of their own. `on_delta` is awaited with
    each piece of text as it comes; the pieces joined are the answer's text. A variant whose output must be checked as
    a whole hands on one piece, after the check. `when_cancelled` is told what was done until then.

    Raises:
        InputMismatchError: the input does not fit the function's schema; nothing was run.
        VariantError: it has no answer; the error's `spans` hold what was done.
    """
    if len(msgspec.json.encode(input_)) > _LARGE_INPUT:
        await asyncio.to_thread(check_input, variant.function, variant.spec["input"], input_)
    else:
        check_input(variant.function, variant.spec["input"], input_)
    log = SpanLog(variant, input_, ids, tools.clock)
    stream = on_delta if _streams(variant) else None
    try:
        answer = _with_output(variant, await _run(variant, input_, tools, log, stream))
    except (InputMismatchError, VariantError) as error:
        if isinstance(error, VariantError):
            error.spans = log.close(None, error.message)
        raise
    except asyncio.CancelledError:
        if when_cancelled is not None:
            when_cancelled(log.close(None, "cancelled"))
        raise
    except FlyballError as error:
        failure = _failure(variant, error)
        failure.spans = log.close(None, failure.message)
        raise failure from error
    if on_delta is not None and stream is None:
        await on_delta(answer.text)
    return msgspec.structs.replace(answer, spans=log.close(answer))


async def _run(variant: PinnedVariant, input_: Input, tools: Tools, log: SpanLog, on_delta: OnDelta | None) -> Answer:
    if reason := missing_index(variant.spec):
        raise VariantUnavailableError(f"{_where(variant)} cannot run: {reason}")
    if variant.spec.get("retrieval"):
        await tools.ready_to_search()
    passages = Passages(variant, tools.search, log, tools.clock)
    if variant.kind == "prompt":
        return await run_prompt(variant, input_, tools=tools, passages=passages, log=log, on_delta=on_delta)
    if variant.kind != "rules":
        raise DeclarationError(
            f"{_where(variant)}: variants of kind {variant.kind!r} cannot run yet", next_step="use rules or prompt"
        )
    code = variant.spec["code"]
    reference = parse_reference(code["reference"])
    answer = await run_rule(
        _where(variant),
        reference,
        lambda: tools.code.load(reference, code["hash"]),
        input_,
        passages=passages,
        seconds=variant.spec["timeout_seconds"],
    )
    return msgspec.structs.replace(answer, passages=answer.passages or passages.found)


def _streams(variant: PinnedVariant) -> bool:
    """Whether a model's pieces may be handed on as they come: nothing about the whole remains to be checked."""
    return variant.kind == "prompt" and (
        not variant.spec["output"] or single_text_field(variant.spec["output"]) is not None
    )


def _with_output(variant: PinnedVariant, answer: Answer) -> Answer:
    """The answer with both of its faces, text and output, held against the output schema."""
    schema: Schema = variant.spec["output"]
    field = single_text_field(schema)
    output, text = answer.output, answer.text
    if output is None:
        output = {field: text} if field else _parsed(variant, text) if schema else text
    elif not text:
        text = _text_of(output, field)
    check_output(_where(variant), schema, output)
    return msgspec.structs.replace(answer, output=output, text=text)


def _parsed(variant: PinnedVariant, text: str) -> Any:
    """A model's JSON, with or without the fence that models put around it."""
    if variant.kind != "prompt":
        return text
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare.strip("`").removeprefix("json").strip()
    try:
        return msgspec.json.decode(bare.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise OutputMismatchError(
            f"{_where(variant)}: the model's answer is not JSON, which the output schema asks for: {text[:200]!r}",
            next_step="ask for JSON in the prompt, or set `parameters: {response_format: {type: json_object}}`",
        ) from None


def _text_of(output: Any, field: str | None) -> str:
    if field and isinstance(output, Mapping) and isinstance(output.get(field), str):
        return str(output[field])
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def _failure(variant: PinnedVariant, error: FlyballError) -> VariantError:
    message = f"{_where(variant)}: {error.message}"
    if isinstance(error, UpstreamTimeoutError):
        return VariantTimedOutError(message, next_step=error.next_step)
    if isinstance(error, UnavailableError):
        return VariantUnavailableError(message, next_step=error.next_step)
    return VariantFailedError(message, next_step=error.next_step)


def _where(variant: PinnedVariant) -> str:
    return f"function {variant.function!r}, variant {variant.name!r}"
