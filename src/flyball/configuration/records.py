"""What flyball.yaml says, and what applying it would change. Light: the commands read files with it.

These types are the schema: `schema` publishes them as JSON schema, `checking` holds files against them.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from flyball.datasets.records import Name
from flyball.evaluations.records import EvaluationSpec
from flyball.functions.records import Schema, Variant
from flyball.indexes.records import IndexDeclaration
from flyball.ledger.declared import Stop, WhenAway
from flyball.models.records import ModelSpec

ModelName: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,119}$")]
Action = Literal["create", "update", "unchanged", "kept"]
Kind = Literal["model", "prompt", "function", "dataset", "index", "evaluation", "budget", "limit"]
Number: TypeAlias = int | float | str


class PromptSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A prompt: the file that holds it, beside flyball.yaml."""

    file: str


class FunctionSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A function: JSON schemas of its input and output, and the variants that compete for it."""

    input: Schema
    variants: Annotated[dict[Name, Variant], msgspec.Meta(min_length=1)]
    output: Schema = {}
    description: str = ""


class DatasetSection(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"import_": "import"},
):
    """Where a dataset is imported from.

    `stdlib`, a `.jsonl` file beside flyball.yaml, or a folder of documents. `licence` is the SPDX identifier of what is
    in it, where the rows do not say.
    """

    import_: str
    licence: str = ""


class BudgetSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A budget of the project, of a key, member, function, model or tag in it: `scope: key backend`, `usd: 25`, `per: day`.

    What it is of, and its window, say which budget it is. `alerts` are percent; `open_usd` is what one worker may spend while
    PostgreSQL does not answer (0: what a lease would be). Text keeps every digit of an amount.
    """

    scope: str = "project"
    usd: Number
    per: str = "month"
    stop: Stop = "hard"
    when_away: WhenAway = "open"
    open_usd: Number = 0
    alerts: tuple[int, ...] = ()


class LimitSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A limit of `requests`, `tokens` (per minute unless said otherwise) or `parallel` calls, which have no window. The rest is as of a budget."""

    scope: str = "project"
    unit: Literal["requests", "tokens", "parallel"]
    amount: int | str
    per: str = ""
    stop: Stop = "hard"
    when_away: WhenAway = "open"
    open_bound: int | str = 0
    alerts: tuple[int, ...] = ()


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A flyball.yaml. What it does not mention is left as it is."""

    project: str = "default"
    models: dict[ModelName, ModelSpec] = {}
    prompts: dict[Name, PromptSection] = {}
    functions: dict[Name, FunctionSection] = {}
    datasets: dict[Name, DatasetSection] = {}
    indexes: dict[Name, IndexDeclaration] = {}
    evaluations: dict[Name, EvaluationSpec] = {}
    budgets: tuple[BudgetSection, ...] = ()
    limits: tuple[LimitSection, ...] = ()


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flyball.yaml with the files that it names: what the commands send. `files` are keyed as the file names them.

    `root` is the folder of the file, for imports from folders of the machine on which flyball runs; `unread` says why a
    file could not be read.
    """

    text: str
    path: str = "flyball.yaml"
    root: str = ""
    files: dict[str, str] = {}
    unread: dict[str, str] = {}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, and where. Lines and columns count from 1; 0 is unknown."""

    file: str
    message: str
    line: int = 0
    column: int = 0
    place: str = ""
    next_step: str = ""

    def __str__(self) -> str:
        """As compilers write it: `flyball.yaml:12:5: functions.triage: ...`."""
        where = self.file + (f":{self.line}" if self.line else "") + (f":{self.column}" if self.column else "")
        return f"{where}: {self.place}: {self.message}" if self.place else f"{where}: {self.message}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What applying does to one object. `kept`: it is there, and the file does not mention it. `detail` is a text diff."""

    kind: Kind
    name: str
    action: Action
    detail: str = ""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What applying would do, or did, in the order of the file's sections."""

    items: tuple[Change, ...]

    @property
    def differs(self) -> bool:
        """Whether anything is created or updated."""
        return any(change.action in ("create", "update") for change in self.items)


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What is there, as a file and the files that it names. Applying it changes nothing."""

    text: str
    files: dict[str, str]
