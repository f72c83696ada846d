"""Asking questions as an application does: through the unmodified `openai` client, unary and streamed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from openai import OpenAI


class Asked(NamedTuple):
    """An answer as it came: its text, what it cites, its trace."""

    question: str
    text: str
    citations: Sequence[dict[str, Any]]
    trace_id: str
    streamed: bool
    tokens: int


class Application:
    """An application that knows a base URL and a key, and nothing else of flyball."""

    def __init__(self, address: str, key: str, function: str) -> None:
        self._client = OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=2)
        self._function = function

    def ask(self, question: str) -> Asked:
        """One unary call."""
        answer = self._client.chat.completions.create(
            model=self._function, messages=[{"role": "user", "content": question}]
        )
        told = (answer.model_extra or {})["flyball"]
        tokens = answer.usage.total_tokens if answer.usage else 0
        return Asked(
            question, answer.choices[0].message.content or "", told["citations"], told["trace_id"], False, tokens
        )

    def ask_streaming(self, question: str) -> Asked:
        """One streamed call, put together from its chunks."""
        pieces: list[str] = []
        told: dict[str, Any] = {}
        stream = self._client.chat.completions.create(
            model=self._function, messages=[{"role": "user", "content": question}], stream=True
        )
        for chunk in stream:
            told = (chunk.model_extra or {}).get("flyball") or told
            pieces.extend(choice.delta.content for choice in chunk.choices if choice.delta.content)
        return Asked(question, "".join(pieces), told["citations"], told["trace_id"], True, 0)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()
