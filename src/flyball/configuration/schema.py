"""The JSON schema of flyball.yaml, so that editors complete it. Published at docs/flyball.schema.json."""

import inspect
from typing import Any

import msgspec

from .records import Configuration

TITLE = "flyball.yaml"


def schema() -> dict[str, Any]:
    """The schema as published."""
    made = _with_clean_descriptions(msgspec.json.schema(Configuration))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **made}


def schema_text() -> str:
    """The schema as the published file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


def _with_clean_descriptions(value: Any) -> Any:
    """Docstrings without the indentation that Python 3.13 takes out and earlier ones leave in."""
    if isinstance(value, list):
        return [_with_clean_descriptions(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: inspect.cleandoc(item)
        if name == "description" and isinstance(item, str)
        else _with_clean_descriptions(item)
        for name, item in value.items()
    }
