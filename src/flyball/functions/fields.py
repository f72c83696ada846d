"""Which one text field a schema has, so that a plain message can be an input and a plain text an output. Light."""

from .records import Schema


def single_text_field(schema: Schema) -> str | None:
    """The name of the only text field: the only required one, else the only one. None where there is not exactly one."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return None
    required = schema.get("required") or []
    texts = [name for name, field in properties.items() if isinstance(field, dict) and field.get("type") == "string"]
    needed = [name for name in texts if name in required]
    others = [name for name in required if name not in texts]
    if others:
        return None
    candidates = needed or texts
    return candidates[0] if len(candidates) == 1 else None
