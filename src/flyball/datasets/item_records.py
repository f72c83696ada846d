"""What is put into a dataset one by one, what is said of such a dataset, and what applications made of it. Light (msgspec alone)."""

from typing import Annotated, Any, Literal

import msgspec

from .records import Name

Status = Literal["ACTIVE", "ARCHIVED"]
ItemId = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a dataset. Schemas are JSON schemas, which new items are held against."""

    title: Title
    description: str = ""
    metadata: Any = None
    input_schema: dict[str, Any] | None = None
    expected_schema: dict[str, Any] | None = None
    updated_ns: int = 0


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item as it was from `since_ns` on; `until_ns` is None while that is how it is. Archived ones are not frozen."""

    item_id: ItemId
    dataset_id: str
    dataset: Name
    since_ns: int
    created_ns: int
    created_by: str
    until_ns: int | None = None
    status: Status = "ACTIVE"
    input: Any = None
    expected_output: Any = None
    metadata: Any = None
    source_trace_id: str = ""
    source_span_id: str = ""


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """Under this name an application went through a dataset's items. What it answered is in the traces."""

    id: str
    dataset_id: str
    name: str
    created_ns: int
    updated_ns: int
    created_by: str
    description: str = ""
    metadata: Any = None


class ExperimentItem(msgspec.Struct, frozen=True, kw_only=True):
    """Which trace, and which span in it, was made of which item."""

    id: str
    experiment_id: str
    item_id: str
    trace_id: str
    created_ns: int
    span_id: str = ""
