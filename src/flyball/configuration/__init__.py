"""flyball.yaml: models, prompts, functions, datasets, indexes and evaluations, declared in one file.

`diff` shows what would change, `apply` does it in one transaction, `export` writes what is there: applying an export
changes nothing. Verbs live in `configuration.service`.
"""

from .errors import ConfigurationError, ExportError
from .records import Bundle, Change, Changes, Configuration, Export, Problem

__all__ = ["Bundle", "Change", "Changes", "Configuration", "ConfigurationError", "Export", "ExportError", "Problem"]
