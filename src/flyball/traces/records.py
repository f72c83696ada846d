"""What a producer writes (Span, Score) and what a reader gets (SpanRow, TraceRow, TraceTree).

Knows the shape of telemetry and how text is cut for previews. Knows neither tables nor clocks. Light: the gateway imports it.
"""

from typing import Annotated, Any, Literal

import msgspec

from flyball.llm.usage import Usage

PREVIEW = 200  # characters of a payload that lists show; longer payloads lie in blobs
APPLICATION = "application"  # the scope of spans that an application sent: what they say of releases is no evidence
MAP_VERSION = 3  # of the mapping that made the columns from the producer's own attributes
TOLD = "told"  # the price version of a cost that the span itself brought

# A pattern's `$` would let a line feed follow; the length does not.
TraceId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
SpanId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$", max_length=16)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Name = Annotated[str, msgspec.Meta(max_length=1_000)]
Status = Literal["ok", "error", "unset"]
Side = Literal["input", "output"]


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One ended piece of work, immutable. Known by (project, trace_id, span_id); `parent_id` is "" at the root.

    `kind` says what it did: function, llm, retrieval, tool, chain, gateway, or the application's own word. `remote_parent`
    says that the parent belongs to another process, as OpenTelemetry does. `input` and `output` are whole; the table keeps
    a preview and a content hash. Usage and cost stand on the one span that called the model, so that sums are right;
    `cost_nano_usd` is None while the price is unknown. `dialect` names the mapping that made it from a foreign span, and is
    "" for our own; `version` is that of the application; `first_token_ns` counts from `start_ns`.
    """

    trace_id: TraceId
    span_id: SpanId
    name: Name
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    project: Name = ""
    parent_id: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{16})?$", max_length=16)] = ""
    remote_parent: bool = False
    kind: Name = "chain"
    kind_otel: Name = "internal"
    status: Status = "unset"
    error: str = ""
    service: Name = ""
    scope: Name = ""
    environment: Name = ""
    key_id: Name = ""
    session_id: Name = ""
    user_id: Name = ""
    trace_name: Name = ""
    tags: tuple[Name, ...] = ()
    function: Name = ""
    variant: Name = ""
    variant_hash: Name = ""
    release: Name = ""
    provider: Name = ""
    model_requested: Name = ""
    model_response: Name = ""
    usage: Usage = Usage()
    usage_raw: dict[str, Any] | None = None
    cost_nano_usd: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)] | None = None
    price_version: Name = ""
    prompt_name: Name = ""
    prompt_version: Name = ""
    experiment_id: Name = ""
    item_id: Name = ""
    item_version: Name = ""
    dialect: Name = ""
    version: Name = ""
    agent: Name = ""
    tool: Name = ""
    response_id: Name = ""
    finish_reason: Name = ""
    first_token_ns: int | None = None
    parameters: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    input: str = ""
    output: str = ""
    attributes: dict[str, Any] = {}

    @property
    def key(self) -> str:
        """The span's name inside its project."""
        return f"{self.trace_id}/{self.span_id}"

    @property
    def entry(self) -> bool:
        """Whether the trace enters a process here: no parent, or one elsewhere. Lists filter on these spans."""
        return enters(self.parent_id, self.kind_otel, remote_parent=self.remote_parent)


class Score(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One judgement, append-only. The newest one under the same target, name and identifier is the one that counts.

    `propensity` is the probability with which the target was chosen to be judged: means are biased without it. `attributes`
    are the judge's own words, kept as they are.
    """

    score_id: Name
    target_kind: Literal["span", "trace", "session", "dataset_item", "run"]
    target_id: Name
    name: Name
    created_ns: Nanoseconds
    project: Name = ""
    trace_id: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{32})?$", max_length=32)] = ""
    value: float | None = None
    label: Name = ""
    explanation: str = ""
    correction: str = ""
    annotator_kind: Literal["HUMAN", "LLM", "CODE"] = "CODE"
    annotator_id: Name = ""
    identifier: Name = ""
    rubric_version: Name = ""
    judge_trace_id: Name = ""
    weight: float = 1.0
    propensity: float = 1.0
    attributes: dict[str, Any] = {}


class SpanRow(msgspec.Struct, frozen=True, kw_only=True):
    """A span as it is read: previews in place of payloads. `input_ref` is "" when the preview is the whole text.

    `running`: it has begun and nobody has said yet that it ended; `end_ns` is the time of reading then.
    """

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int
    parent_id: str = ""
    entry: bool = False
    kind: str = ""
    status: str = "unset"
    error: str = ""
    service: str = ""
    scope: str = ""
    key_id: str = ""
    session_id: str = ""
    user_id: str = ""
    trace_name: str = ""
    tags: tuple[str, ...] = ()
    function: str = ""
    variant: str = ""
    variant_hash: str = ""
    release: str = ""
    provider: str = ""
    model_requested: str = ""
    model_response: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    usage_estimated: bool = False
    cost_nano_usd: int | None = None
    price_version: str = ""
    input_preview: str = ""
    output_preview: str = ""
    input_ref: str = ""
    output_ref: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    environment: str = ""
    version: str = ""
    agent: str = ""
    tool: str = ""
    response_id: str = ""
    finish_reason: str = ""
    first_token_ns: int | None = None
    parameters: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    dialect: str = ""
    running: bool = False
    attributes: dict[str, Any] = {}

    @property
    def duration_ns(self) -> int:
        """How long it took."""
        return self.end_ns - self.start_ns


class SpanNode(msgspec.Struct, frozen=True, kw_only=True):
    """A span in its tree: how deep it lies, and whether its parent was never recorded."""

    span: SpanRow
    depth: int
    orphan: bool = False


class TraceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as a list shows it: what its spans add up to. Name, status and texts are those of its first entry span.

    `position_ns` is where it stands in the list: the start of its first span that the filter matched.
    """

    trace_id: str
    name: str
    start_ns: int
    end_ns: int
    position_ns: int
    status: str
    spans: int
    errors: int
    function: str
    variant: str
    release: str
    session_id: str
    user_id: str
    tokens_in: int
    tokens_out: int
    cost_nano_usd: int | None
    input_preview: str
    output_preview: str


class TraceTree(msgspec.Struct, frozen=True, kw_only=True):
    """One trace: its row, its spans depth first in order of start (the first 5,000), and the scores that count."""

    trace: TraceRow
    nodes: tuple[SpanNode, ...]
    scores: tuple[Score, ...]


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of traces is narrowed to.

    `function`, `release`, `status` and `session_id` are those of an entry span; `text` is looked for in the names and
    previews of all spans, without regard to case.
    """

    function: str = ""
    release: str = ""
    status: str = ""
    session_id: str = ""
    text: str = ""
    since_ns: int = 0


class SpanFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of spans is narrowed to, times included on both sides. `experiments`: those of experiments alone."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    name: str = ""
    user_id: str = ""
    session_id: str = ""
    experiments: bool = False
    since_ns: int = 0
    until_ns: int = 2**62


class ScoreFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of scores is narrowed to, times included on both sides."""

    name: str = ""
    trace_id: str = ""
    target_kind: str = ""
    target_id: str = ""
    since_ns: int = 0
    until_ns: int = 2**62


class TraceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is since when (0: nothing), and how far the tables lag behind what was acknowledged."""

    traces: int
    spans: int
    errors: int
    first_ns: int
    waiting: int
    lag_ns: int


def enters(parent_id: str, kind_otel: str, *, remote_parent: bool) -> bool:
    """Whether a span with this parent is the first of its process."""
    return not parent_id or remote_parent or kind_otel in {"server", "consumer"}


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """How many traces began in each of some equal stretches of time, and how many of them failed."""

    begin_ns: int
    stretch_ns: int
    traces: tuple[int, ...]
    errors: tuple[int, ...]


def preview(text: str) -> str:
    """The first 200 characters, the last of them an ellipsis when something was cut."""
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"
