"""The JSON schema of flyball.yaml, so that editors complete it. Published at docs/flyball.schema.json."""

from typing import Any

import msgspec

from .records import Configuration

TITLE = "flyball.yaml"


def schema() -> dict[str, Any]:
    """The schema as published."""
    made = msgspec.json.schema(Configuration)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **made}


def schema_text() -> str:
    """The schema as the published file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"
