"""A bundle proven sound in itself: its YAML, its types, its files, its templates, its code. Asks no database."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from flyball.datasets.records import Declaration
from flyball.functions import service as functions
from flyball.functions.errors import DeclarationError
from flyball.functions.records import FunctionSpec, RulesVariant
from flyball.functions.references import parse_reference
from flyball.kit.errors import FlyballError
from flyball.kit.hashing import bytes_hash
from flyball.models import service as models
from flyball.prompts import template
from flyball.prompts.errors import PromptTemplateError

from . import caps, checking, tree
from .bundling import is_captured, unsafe
from .errors import ConfigurationError
from .records import Bundle, Configuration, DatasetSection, FunctionSection, Problem
from .tree import Path, Tree


class Loaded(NamedTuple):
    """A sound configuration with what its files hold. `captured` are dataset files by their hash."""

    configuration: Configuration
    tree: Tree
    prompts: dict[str, str]
    sources: dict[str, bytes]
    functions: dict[str, FunctionSpec]
    datasets: dict[str, Declaration]
    captured: dict[str, bytes]


def load(bundle: Bundle) -> Loaded:
    """Raises ConfigurationError with every problem that can be told at once."""
    found = tree.parse(bundle.text, bundle.path)
    if found.value is None:
        found = found._replace(value={})
    if misfits := checking.check(found.value, Configuration):
        raise ConfigurationError([found.problem(finding.path, finding.message) for finding in misfits])
    configuration = msgspec.convert(found.value, Configuration)
    loader = _Loader(bundle, found, configuration)
    loaded = loader.load()
    if loader.problems:
        raise ConfigurationError(
            sorted(loader.problems, key=lambda problem: (problem.file != bundle.path, problem.line))
        )
    return loaded


class _Loader:
    """Goes through the sections, collecting problems."""

    def __init__(self, bundle: Bundle, found: Tree, configuration: Configuration) -> None:
        self._bundle = bundle
        self._tree = found
        self._configuration = configuration
        self.problems: list[Problem] = []

    def load(self) -> Loaded:
        configuration = self._configuration
        for name, spec in configuration.models.items():
            self._prove(("models", name), models.check, name, spec)
        self.problems += caps.problems_of(configuration, self._tree)
        captured: dict[str, bytes] = {}
        sources = dict(self._sources())
        return Loaded(
            configuration=configuration,
            tree=self._tree,
            prompts=dict(self._prompts()),
            sources=sources,
            functions=dict(self._functions(sources)),
            datasets={
                name: self._declaration(name, section, captured) for name, section in configuration.datasets.items()
            },
            captured=captured,
        )

    def _prompts(self) -> Iterator[tuple[str, str]]:
        for name, section in self._configuration.prompts.items():
            source = self._file(("prompts", name, "file"), section.file)
            if source is None:
                continue
            try:
                template.parse(source, section.file)
            except PromptTemplateError as error:
                message = f"{error.detail} (prompts.{name})"
                self.problems.append(
                    Problem(file=section.file, line=error.line, column=1, message=message, next_step=error.next_step)
                )
            yield name, source

    def _sources(self) -> Iterator[tuple[str, bytes]]:
        for name, section in self._configuration.functions.items():
            for variant_name, variant in section.variants.items():
                if not isinstance(variant, RulesVariant):
                    continue
                try:
                    reference = parse_reference(variant.code)
                except DeclarationError:
                    continue  # told with the function's other problems
                path: Path = ("functions", name, "variants", variant_name, "code")
                source = self._file(path, reference.path)
                if source is not None:
                    yield reference.module, source.encode()

    def _functions(self, sources: dict[str, bytes]) -> Iterator[tuple[str, FunctionSpec]]:
        for name, section in self._configuration.functions.items():
            modules = _modules(section)
            if any(module not in sources for module in modules):
                continue  # the missing file is told already
            spec = FunctionSpec(
                input=section.input, output=section.output, variants=section.variants, description=section.description
            )
            if self._prove(("functions", name), functions.check, name, spec, sources):
                yield name, functions.with_code(spec, sources)

    def _declaration(self, name: str, section: DatasetSection, captured: dict[str, bytes]) -> Declaration:
        location, path = section.import_, ("datasets", name, "import")
        if location == "stdlib":
            return Declaration(source="stdlib", licence=section.licence)
        if is_captured(location):
            data = (self._file(path, location) or "").encode()
            captured[bytes_hash(data)] = data
            return Declaration(source="jsonl", location=f"blob:{bytes_hash(data)}", licence=section.licence)
        if not location.startswith("/"):
            if problem := unsafe(location):
                self.problems.append(self._tree.problem(path, problem, "give a folder inside it, or an absolute path"))
            elif not self._bundle.root:
                self.problems.append(self._tree.problem(path, "is a relative path, and nobody said to what"))
            location = f"{self._bundle.root}/{location}".removesuffix("/.").rstrip("/")
        source = "jsonl" if location.endswith(".jsonl") else "folder"
        return msgspec.convert({"source": source, "location": location, "licence": section.licence}, Declaration)

    def _file(self, path: Path, name: str) -> str | None:
        problem = unsafe(name) or self._bundle.unread.get(name, "")
        if not problem and name not in self._bundle.files:
            problem = f"there is no file {name}"
        if problem:
            self.problems.append(
                self._tree.problem(path, problem, f"put {name} beside {self._bundle.path}, or correct its name")
            )
            return None
        return self._bundle.files[name]

    def _prove(self, path: Path, check: Callable[..., Any], *arguments: Any) -> bool:
        """Run a room's own check; its error names the place as `functions.ask.variants.big: ...`."""
        try:
            check(*arguments)
        except FlyballError as error:
            self.problems.append(located(self._tree, path, error))
            return False
        return True


def located(found: Tree, path: Path, error: FlyballError) -> Problem:
    """A room's error at the deepest place of the file that its message begins with."""
    places = [(tree.dotted(at), at) for at in found.positions if at[: len(path)] == path]
    message = error.message
    for place, at in sorted(places, key=lambda one: len(one[0]), reverse=True):
        if message.startswith((place + ":", place + " ")):
            return found.problem(at, message[len(place) :].lstrip(": "), error.next_step)
    return found.problem(path, message.removeprefix(tree.dotted(path)).lstrip(":. "), error.next_step)


def _modules(section: FunctionSection) -> Iterator[str]:
    for variant in section.variants.values():
        if isinstance(variant, RulesVariant):
            try:
                yield parse_reference(variant.code).module
            except DeclarationError:
                continue  # told by the function's own check
