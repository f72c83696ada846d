"""OpenAI's Chat Completions, for those who call and for those who are called."""

from .plain import (
    DONE,
    ChatRequest,
    Chunk,
    ChunkWriter,
    Completion,
    body_for,
    completion,
    error_body,
    error_event,
    error_message,
    error_object,
    is_error_body,
    parse_chunk,
    parse_completion,
    parse_field,
    parse_request,
)

__all__ = [
    "DONE",
    "ChatRequest",
    "Chunk",
    "ChunkWriter",
    "Completion",
    "body_for",
    "completion",
    "error_body",
    "error_event",
    "error_message",
    "error_object",
    "is_error_body",
    "parse_chunk",
    "parse_completion",
    "parse_field",
    "parse_request",
]
