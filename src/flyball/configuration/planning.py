"""What applying a configuration would change, object by object, with the text that differs."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from flyball.evaluations import service as evaluations
from flyball.functions import service as functions
from flyball.functions.records import FunctionSpec
from flyball.ledger.declared import KnownQuota

from . import quotas
from .caps import section_of
from .existing import Existing
from .loading import Loaded
from .quotas import QuotaKey, Wanted
from .records import Action, Change, Kind

_LONGEST_DETAIL = 20_000


def plan(loaded: Loaded, existing: Existing, wanted: Mapping[QuotaKey, Wanted]) -> tuple[Change, ...]:
    """Every object of the file and of the project, in the order of sections, then of names. `wanted` are the file's quotas."""
    return (*_changes(loaded, existing), *_caps(wanted, {**existing.budgets, **existing.limits}))


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
        same = bool(prompt and source is not None and prompt.source == source)
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


def _caps(wanted: Mapping[QuotaKey, Wanted], existing: Mapping[QuotaKey, KnownQuota]) -> Iterator[Change]:
    names = {key: quotas.named(key, wanted.get(key), existing.get(key)) for key in {*wanted, *existing}}
    for key in sorted(names, key=lambda key: (quotas.kind_of(key), names[key], key)):
        asked, known = wanted.get(key), existing.get(key)
        same = bool(asked and known and quotas.is_same(asked, known))
        yield _change(quotas.kind_of(key), names[key], known and section_of(known), asked and asked.section, same=same)


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
