"""Langfuse's public REST and OTLP paths, `/api/public/...`, as its SDKs call them. docs/langfuse.md says what works and what not.

Every file here knows one noun of theirs and the verbs of the room that has it; none knows a table.
"""
