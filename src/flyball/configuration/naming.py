"""Whether everything that a configuration refers to by name exists: in the file, or already in the project."""

import difflib
from collections.abc import Collection, Iterator

from flyball.evaluations import service as evaluations
from flyball.evaluations.records import EvaluationSpec
from flyball.functions.fields import single_text_field
from flyball.functions.prompting import PASSAGES
from flyball.functions.records import FunctionSpec, PromptVariant, Retrieval, RulesVariant
from flyball.kit.errors import FlyballError
from flyball.prompts import template

from .existing import Existing
from .loading import Loaded, located
from .records import Problem
from .tree import Path


def check_names(loaded: Loaded, existing: Existing, project: str) -> list[Problem]:
    """Every reference that leads nowhere, and every name that stands for two things."""
    return list(_Names(loaded, existing).check(project))


class _Names:
    def __init__(self, loaded: Loaded, existing: Existing) -> None:
        self._loaded = loaded
        declared = loaded.configuration
        self._models = {*declared.models, *existing.models}
        self._prompts = {name: prompt.source for name, prompt in existing.prompts.items()} | loaded.prompts
        self._functions = {name: function.spec for name, function in existing.functions.items()} | loaded.functions
        self._datasets = {*declared.datasets, *existing.datasets}
        self._indexes = {*declared.indexes, *existing.indexes}

    def check(self, project: str) -> Iterator[Problem]:
        declared = self._loaded.configuration
        if declared.project != project:
            yield self._problem(("project",), f"there is no project {declared.project!r}; this is {project!r}")
        for name in declared.models:
            if name in self._functions:
                yield self._problem(
                    ("models", name), "there is a function of this name; callers name both alike", "choose another name"
                )
        for name in declared.functions:
            if name in self._models and name not in declared.models:
                yield self._problem(
                    ("functions", name), "there is a model of this name; callers name both alike", "choose another name"
                )
        for name, spec in self._loaded.functions.items():
            yield from self._function(("functions", name), spec)
        for name, index in declared.indexes.items():
            yield from self._known(("indexes", name, "dataset"), "dataset", index.dataset, self._datasets)
        for name, evaluation in declared.evaluations.items():
            yield from self._evaluation(name, evaluation)

    def _function(self, path: Path, spec: FunctionSpec) -> Iterator[Problem]:
        for name, variant in spec.variants.items():
            place = (*path, "variants", name)
            if isinstance(variant, RulesVariant | PromptVariant) and variant.retrieval is not None:
                yield from self._retrieval(place, spec, variant.retrieval)
            if isinstance(variant, PromptVariant):
                yield from self._known((*place, "model"), "model", variant.model, self._models)
                yield from self._known((*place, "prompt"), "prompt", variant.prompt, self._prompts)
                if variant.prompt in self._prompts:
                    yield from self._variables(place, spec, variant)

    def _retrieval(self, place: Path, spec: FunctionSpec, retrieval: Retrieval) -> Iterator[Problem]:
        yield from self._known((*place, "retrieval", "index"), "index", retrieval.index, self._indexes)
        fields = spec.input.get("properties", {})
        if retrieval.query and retrieval.query not in fields:
            yield from self._known((*place, "retrieval", "query"), "input field", retrieval.query, fields)

    def _variables(self, place: Path, spec: FunctionSpec, variant: PromptVariant) -> Iterator[Problem]:
        """Every variable that a prompt declares must come from somewhere."""
        try:
            wanted = template.parse(self._prompts[variant.prompt]).variables
        except FlyballError:
            return  # told with the prompt
        fields = spec.input.get("properties", {})
        for variable in wanted:
            if variable == PASSAGES and PASSAGES not in fields:
                if variant.retrieval is None:
                    yield self._problem(
                        (*place, "prompt"),
                        f"the prompt {variant.prompt!r} needs {PASSAGES!r}, and the variant retrieves none",
                        "add `retrieval: {index: NAME}`",
                    )
            elif variable not in fields:
                yield self._problem(
                    (*place, "prompt"),
                    f"the prompt {variant.prompt!r} needs {variable!r}, which is no field of the function's input ({_listed(fields)})",
                    "add it to `input.properties`, or take it out of the prompt",
                )
        if variant.retrieval is not None and not variant.retrieval.query and single_text_field(spec.input) is None:
            yield self._problem(
                (*place, "retrieval"),
                "the input has not exactly one text field to search by",
                "name one: `query: FIELD`",
            )

    def _evaluation(self, name: str, spec: EvaluationSpec) -> Iterator[Problem]:
        path = ("evaluations", name)
        yield from self._known((*path, "dataset"), "dataset", spec.dataset, self._datasets)
        unknown = list(self._known((*path, "function"), "function", spec.function, self._all_functions()))
        yield from unknown
        if unknown or spec.function not in self._functions:
            return
        variants = self._functions[spec.function].variants
        yield from self._known((*path, "baseline"), "variant", spec.baseline, variants)
        for number, variant in enumerate(spec.variants):
            yield from self._known((*path, "variants", number), "variant", variant, variants)
        try:
            canonical = evaluations.canonical(name, spec)
        except FlyballError as error:
            yield located(self._loaded.tree, path, error)
            return
        if canonical.primary_metric not in canonical.scorers:
            yield from self._known((*path, "primary"), "scorer", spec.primary, spec.scorers)

    def _all_functions(self) -> Collection[str]:
        """Also those whose own problems keep them from being loaded."""
        return {*self._functions, *self._loaded.configuration.functions}

    def _known(self, path: Path, noun: str, name: str, known: Collection[str]) -> Iterator[Problem]:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (there are: {_listed(known)})"
            yield self._problem(path, f"there is no {noun} named {name!r}{hint}")

    def _problem(self, path: Path, message: str, next_step: str = "") -> Problem:
        return self._loaded.tree.problem(path, message, next_step)


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
