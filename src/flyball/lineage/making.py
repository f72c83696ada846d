"""How the answer was made: the variant with its code, or its prompt and model; or the model that was called directly.

Knows what a pinned variant names; knows neither who allowed it nor what it retrieved.
"""

import asyncio
from typing import Any

import msgspec

from flyball.functions import store as functions
from flyball.functions.records import PinnedVariant, pinned_hash
from flyball.infra.blobs.errors import BlobDamagedError, BlobMissingError
from flyball.infra.context import Context
from flyball.kit.hashing import bytes_hash
from flyball.models.records import ModelSpec
from flyball.traces.records import SpanRow

from .records import Link, missing


async def variant_links(ctx: Context, call: SpanRow) -> list[Link]:
    """The variant that answered, and under it what it is made of."""
    if not call.variant_hash:
        return [missing("variant", 1, "the call failed before a variant was chosen" if call.error else "none is named")]
    async with ctx.db.connection() as connection:
        variant = await functions.get_variant(connection, ctx.project, call.variant_hash)
    if variant is None:
        return [missing("variant", 1, f"the span names {call.variant_hash}, which this project does not know")]
    holds = pinned_hash(variant.function, variant.name, variant.kind, variant.spec) == variant.hash
    link = Link(
        kind="variant",
        title=f"{variant.function} / {variant.name}",
        depth=1,
        id=variant.hash,
        hash=variant.hash,
        verified=holds,
        note="" if holds else "the variant's content is not what its hash says",
        facts={"kind": variant.kind},
    )
    if variant.kind == "rules":
        return [link, await _code_link(ctx, variant)]
    if variant.kind == "prompt":
        return [link, _prompt_link(variant.spec["prompt"]), _pinned_model_link(variant.spec)]
    return [link]


def model_call_links(call: SpanRow, below: list[SpanRow]) -> list[Link]:
    """A call of a model: no release stands behind it, and the links say so."""
    links = [missing("release", 1, "this is a call of a model; releases serve functions")]
    answered = next((span for span in below if span.kind == "llm" and span.status != "error"), None)
    if not call.attributes.get("model_hash"):
        return [*links, missing("model", 1, call.error or "the call's span names no model")]
    facts = {"version": call.attributes.get("model_version", ""), "requested": call.model_requested}
    if answered:
        facts |= {
            "provider": answered.provider,
            "answered_by": answered.model_response,
            "cost_nano_usd": answered.cost_nano_usd,
            "price_version": answered.price_version,
        }
    return [
        *links,
        Link(
            kind="model",
            title=call.model_requested,
            depth=1,
            id=call.model_requested,
            hash=str(call.attributes["model_hash"]),
            note="what answers at the endpoint is the provider's word",
            facts=facts,
        ),
    ]


async def _code_link(ctx: Context, variant: PinnedVariant) -> Link:
    code: dict[str, Any] = variant.spec["code"]
    note, verified, size = "", True, 0
    try:
        size = len(await asyncio.to_thread(ctx.blobs.get, code["hash"]))  # which proves the hash
    except BlobDamagedError as error:
        note, verified = error.message, False
    except BlobMissingError as error:
        return missing("code", 2, error.message)
    return Link(
        kind="code",
        title=code["reference"],
        depth=2,
        id=code["module"],
        hash=code["hash"],
        verified=verified,
        note=note,
        facts={"function": code["function"], "bytes": size},
    )


def _prompt_link(prompt: dict[str, Any]) -> Link:
    return Link(
        kind="prompt",
        title=f"{prompt['name']} version {prompt['version']}",
        depth=2,
        id=prompt["name"],
        hash=prompt["hash"],
        verified=bytes_hash(prompt["source"].encode()) == prompt["hash"],
        facts={"version": prompt["version"], "path": prompt.get("path", "")},
    )


def _pinned_model_link(spec: dict[str, Any]) -> Link:
    model = spec["model"]
    pinned = msgspec.convert(model["spec"], ModelSpec)
    return Link(
        kind="model",
        title=f"{model['name']} version {model['version']}",
        depth=2,
        id=model["name"],
        hash=model["hash"],
        verified=pinned.hash == model["hash"],
        note="the declaration is proven; what answers at the endpoint is the provider's word",
        facts={"licence": pinned.licence, "parameters": spec["parameters"]},
    )
