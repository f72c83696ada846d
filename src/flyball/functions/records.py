"""A function, its variants, and the answer that every kind of variant gives.

Light (msgspec, the span and the usage): the gateway, the SDK's server side and the runner all speak these shapes.
Knows neither how a variant runs (`execution`) nor how its dependencies are found (`pinning`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from flyball.kit.hashing import content_hash
from flyball.llm.usage import Usage
from flyball.traces.records import Span

VariantKind = Literal["rules", "prompt", "classifier", "chain"]
Schema: TypeAlias = dict[str, Any]  # a JSON schema

LONGEST_RULE_SECONDS = 10.0


class Retrieval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The passages that a variant gets: `k` of an index, found by one text field of the input."""

    index: str
    k: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    query: str = ""  # the input field to search by; empty: the input's single text field


class RulesVariant(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="rules",
):
    """Plain code of the operator: `module:function` beside flyball.yaml, called as `function(input, tools)`."""

    code: str
    retrieval: Retrieval | None = None
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = LONGEST_RULE_SECONDS


class PromptVariant(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="prompt",
):
    """A prompt's newest version, rendered with the input (and `passages`, where it retrieves), sent to a model."""

    prompt: str
    model: str
    parameters: dict[str, Any] = {}
    retrieval: Retrieval | None = None


class ClassifierVariant(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="classifier",
):
    """A trained small model. Understood in flyball.yaml; refused with a clear message until training is built."""

    model: str


class ChainVariant(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="chain",
):
    """Functions calling functions. Understood in flyball.yaml; refused with a clear message until chains are built."""

    functions: tuple[str, ...]


Variant: TypeAlias = RulesVariant | PromptVariant | ClassifierVariant | ChainVariant


class FunctionSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a function is: its schemas and its variants as declared. `code` names the captured bytes of each module."""

    input: Schema
    variants: dict[str, Variant]
    output: Schema = {}
    description: str = ""
    code: dict[str, str] = {}  # module -> hash of its source, a blob


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of a function. The newest version of a name is in force."""

    id: str
    project: str
    name: str
    version: int
    hash: str
    spec: FunctionSpec
    created_ns: int
    created_by: str


class PinnedVariant(msgspec.Struct, frozen=True, kw_only=True):
    """A variant with everything that it depends on named by exact version and hash: all that a runner needs, no SQL.

    `spec` holds `input`, `output` (the schemas), `retrieval` (or None: `index`, `k`, `query`, `version`: the index
    version's record) and, by kind, `code` (`reference`, `module`, `function`, `hash`), `timeout_seconds`, or `prompt`
    (`name`, `version`, `hash`, `source`), `model` (`name`, `version`, `hash`, `spec`), `parameters`.
    `available` is the state of this process at this moment and no part of the hash.
    """

    function: str
    name: str
    kind: VariantKind
    spec: dict[str, Any]
    hash: str
    available: bool = True
    unavailable_reason: str = ""


def pinned_hash(function: str, name: str, kind: str, spec: dict[str, Any]) -> str:
    """The hash by which a pinned variant is known. An index version counts by its id and hash alone."""
    retrieval = spec.get("retrieval")
    if retrieval is not None:
        version = retrieval["version"]
        counted = {"id": version["id"], "hash": version["hash"]} if version is not None else None
        spec = {**spec, "retrieval": {**retrieval, "version": counted}}
    return content_hash({"function": function, "name": name, "kind": kind, "spec": spec})


class LiveRelease(msgspec.Struct, frozen=True, kw_only=True):
    """What serves a function now: variant hashes and their shares, which sum to 1."""

    project: str
    function: str
    release_id: str
    release_hash: str
    shares: tuple[tuple[str, float], ...]


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a source document that an answer rests on. `quote` is the document's text from `start` to `end`."""

    document_id: str
    title: str
    source: str
    licence: str
    document_hash: str
    start: int
    end: int
    quote: str
    index_version: str  # id of the index version that found it
    dataset_version: str  # id of the dataset version that the index was built from


class PassageRef(msgspec.Struct, frozen=True, kw_only=True):
    """A retrieved passage without its text, best first in an answer: what evaluations judge and traces keep."""

    chunk_id: str
    document_id: str
    title: str
    document_hash: str
    start: int
    end: int
    score: float
    index_version: str
    dataset_version: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every kind of variant returns. A rule may also return a plain `str` or `dict`, which become one of these."""

    text: str
    output: Any = None  # what the output schema describes; None: the text itself
    citations: tuple[Citation, ...] = ()
    passages: tuple[PassageRef, ...] = ()
    spans: tuple[Span, ...] = ()
    usage: Usage | None = None
    cost_nano_usd: int | None = 0  # None: the model has no known price
    price_version: str = ""
    finish_reason: str = "stop"
    model: str = ""  # the catalog name of the model that wrote it; empty for rules


class CallIds(msgspec.Struct, frozen=True, kw_only=True):
    """Where an execution hangs in a trace: the spans that it makes become children of `parent_id`."""

    project: str
    trace_id: str
    parent_id: str
    release: str = ""


Input: TypeAlias = Mapping[str, Any]
