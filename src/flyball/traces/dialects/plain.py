"""What every span of OpenTelemetry may say, whoever made it: session and user, and what kind of work it was.

https://opentelemetry.io/docs/specs/semconv/registry/attributes/
"""

from .dialect import Dialect

_DATABASES = {
    **dict.fromkeys(
        ("chroma", "lancedb", "marqo", "milvus", "pgvector", "pinecone", "qdrant", "weaviate"), "retrieval"
    ),
    "*": "database",
}

PLAIN = Dialect(
    name="plain",
    title="OpenTelemetry",
    kinds={
        "db.system": _DATABASES,
        "db.system.name": _DATABASES,
        "http.request.method": "http",
        "http.method": "http",
        "rpc.system": "rpc",
        "rpc.system.name": "rpc",
        "messaging.system": "messaging",
    },
    fields={
        "session_id": ("session.id",),
        "user_id": ("user.id", "enduser.id"),
        "tags": ("tags", "tag.tags"),
        "error_type": ("error.type", "exception.type"),
        "environment": ("deployment.environment.name", "deployment.environment"),
        "input.text": ("input", "db.query.text", "db.statement"),
        "output.text": ("output",),
    },
)
