"""What applying a configuration would change, object by object, with the text that differs."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from flyball.evaluations import service as evaluations
from flyball.functions import service as functions
from flyball.functions.records import FunctionSpec
from flyball.prompts.records import source_hash

from .existing import Existing
from .loading import Loaded
from .records import Action, Change, Kind

_LONGEST_DETAIL = 20_000


def plan(loaded: Loaded, existing: Existing) -> tuple[Change, ...]:
    """Every object of the file and of the project, in the order of sections, then of names."""
    return tuple(_changes(loaded, existing))


def _changes(loaded: Loaded, existing: Existing) -> Iterator[Change]:
    declared = loaded.configuration
    for name in _names(declared.datasets, existing.datasets):
        dataset = existing.datasets.get(name)
        yield _change("dataset", name, dataset and dataset.declaration, loaded.datasets.get(name))
    for name in _names(declared.indexes, existing.indexes):
        index = existing.indexes.get(name)
        yield _change("index", name, index and index.declaration, declared.indexes.get(name))
    for name in _names(declared.models, existing.models):
        model, spec = existing.models.get(name), declared.models.get(name)
        same = bool(model and spec and model.hash == spec.hash)
        yield _change("model", name, model and model.spec, spec, same=same)
    for name in _names(declared.prompts, existing.prompts):
        prompt, source = existing.prompts.get(name), loaded.prompts.get(name)
        same = bool(prompt and source is not None and prompt.hash == source_hash(source))
        yield _change("prompt", name, prompt and prompt.source, source, same=same)
    for name in _names(declared.functions, existing.functions):
        function, wanted = existing.functions.get(name), loaded.functions.get(name)
        same = bool(function and wanted and function.hash == functions.spec_hash(name, wanted))
        yield _change("function", name, function and _shown(function.spec), wanted and _shown(wanted), same=same)
    for name in _names(declared.evaluations, existing.evaluations):
        evaluation, asked = existing.evaluations.get(name), declared.evaluations.get(name)
        canonical = asked and evaluations.canonical(name, asked)
        same = bool(evaluation and canonical and evaluation.hash == canonical.hash)
        yield _change("evaluation", name, evaluation and evaluation.spec, canonical, same=same)


def _names(declared: Mapping[str, Any], existing: Mapping[str, Any]) -> list[str]:
    return sorted({*declared, *existing})


def _change(kind: Kind, name: str, before: Any, after: Any, *, same: bool | None = None) -> Change:
    if after is None:
        return Change(kind=kind, name=name, action="kept")
    same = before == after if same is None else same
    action: Action = "create" if before is None else "unchanged" if same else "update"
    detail = "" if same else _difference(_text(before), _text(after))
    return Change(kind=kind, name=name, action=action, detail=detail)


def _shown(spec: FunctionSpec) -> Any:
    return msgspec.to_builtins(spec)


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return yaml.safe_dump(msgspec.to_builtins(value), sort_keys=True, allow_unicode=True, width=120)


def _difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    text = "\n".join(line for line in lines if not line.startswith(("---", "+++")))
    return text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "\n..."
