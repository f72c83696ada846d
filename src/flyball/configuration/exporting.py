"""Writing what a project has as a flyball.yaml and the files that it names. Applying it changes nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import yaml

from flyball.datasets.records import Declaration
from flyball.functions.records import Function
from flyball.functions.references import module_path
from flyball.infra.blobs.store import Blobs

from . import quotas
from .bundling import unsafe
from .errors import ExportError
from .existing import Existing
from .records import Configuration, DatasetSection, Export, FunctionSection, PromptSection

_HEAD = "# Written by `flyball export`.\n"


async def export(existing: Existing, blobs: Blobs, project: str, left_out: Sequence[str] = ()) -> Export:
    """`left_out`: nouns that are not among these, to be named. Raises ExportError where two things would have to be one file."""
    writer = _Writer(blobs)
    configuration = Configuration(
        project=project,
        models={name: model.spec for name, model in existing.models.items()},
        prompts={
            name: PromptSection(file=writer.prompt(name, prompt.path, prompt.source))
            for name, prompt in existing.prompts.items()
        },
        functions={name: await writer.function(function) for name, function in existing.functions.items()},
        datasets={
            name: await writer.dataset(name, dataset.declaration)
            for name, dataset in existing.datasets.items()
            if dataset.declaration is not None
        },
        indexes={name: index.declaration for name, index in existing.indexes.items()},
        evaluations={name: evaluation.spec for name, evaluation in existing.evaluations.items()},
        budgets=quotas.exported_budgets(existing.budgets),
        limits=quotas.exported_limits(existing.limits),
    )
    missing = f"# Left out, since whoever asked may not read them: {', '.join(left_out)}.\n" if left_out else ""
    return Export(text=_HEAD + missing + dump(configuration), files=writer.files)


def dump(configuration: Configuration) -> str:
    """The configuration as YAML that reads back as the same."""
    plain: dict[str, Any] = {"project": configuration.project} | msgspec.to_builtins(configuration)
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """PyYAML writes some line breaks (U+0085, U+2028) into single quotes, where they do not survive reading."""

    def represent_text(self, text: str) -> yaml.Node:
        plain = all(character.isprintable() or character == "\n" for character in text)
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True  # an anchor in a file that people edit explains nothing


_Dumper.add_representer(str, _Dumper.represent_text)


class _Writer:
    """Collects files, each path once."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.files: dict[str, str] = {}

    def prompt(self, name: str, path: str, source: str) -> str:
        """Where the prompt is written: where it came from, unless another one took the place."""
        if unsafe(path) or self.files.get(path, source) != source:
            path = f"prompts/{name}.md"
        self._write(path, source, f"the prompt {name!r}")
        return path

    async def function(self, function: Function) -> FunctionSection:
        for module, hash_ in function.spec.code.items():
            source = await asyncio.to_thread(self._blobs.get, hash_)
            self._write(module_path(module), source.decode(), f"the code of function {function.name!r}")
        spec = function.spec
        return FunctionSection(
            input=spec.input, output=spec.output, variants=spec.variants, description=spec.description
        )

    async def dataset(self, name: str, declaration: Declaration) -> DatasetSection:
        location = declaration.location or declaration.source
        if location.startswith("blob:"):
            data = await asyncio.to_thread(self._blobs.get, location.removeprefix("blob:"))
            location = f"data/{name}.jsonl"
            self._write(location, data.decode(), f"the dataset {name!r}")
        return DatasetSection(import_=location, licence=declaration.licence)

    def _write(self, path: str, text: str, what: str) -> None:
        if self.files.setdefault(path, text) != text:
            raise ExportError(
                f"{what} and something else are both the file {path}, with different contents",
                next_step="apply them together from one folder first, so that one version of the file is in force",
            )
