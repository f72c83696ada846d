"""Amazon Bedrock's Converse, for providers that are called in it. Nobody calls flyball in it: it has only that half.

Its streams are no server-sent events: whatever cuts them names each event by its `:event-type`, exceptions by
"exception:" and their type, and gives its payload as data. The model and whether to stream stand in the path.
"""

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import Completion, Trouble
from flyball.llm.dialect import Called
from flyball.llm.losses import Losses
from flyball.llm.messages import Request
from flyball.llm.usage import Count

from . import answers, requests
from .streams import BedrockReader


class BedrockConverse:
    """The half of the dialect that is spoken to Bedrock."""

    name = answers.NAME
    title = "Amazon Bedrock Converse"

    def write_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:  # noqa: ARG002 -- in the path
        """The body of Converse and of ConverseStream."""
        return msgspec.json.encode(requests.body(request, quirks=quirks, losses=losses))

    def parse_completion(self, body: bytes) -> Completion | Trouble:
        """A whole answer, or the error that a 200 carried."""
        return answers.parse(body)

    def reader(self) -> BedrockReader:
        """For one stream."""
        return BedrockReader()

    def parse_error(self, body: bytes) -> Trouble | None:
        """What Bedrock says with an error status. None where the body is not its envelope."""
        return answers.trouble(body)

    def write_count_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes | None:  # noqa: ARG002 -- in the path
        """The question of CountTokens, which knows fewer fields."""
        asked = requests.body(request, quirks=quirks, losses=losses)
        counted = {name: asked[name] for name in requests.COUNTED if name in asked}
        return msgspec.json.encode({"input": {"converse": counted}})

    def parse_count(self, body: bytes) -> int:
        """The number of tokens that Bedrock counted."""
        return msgspec.json.decode(body, type=_Count).input_tokens

    def error(self, status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:  # noqa: ARG002 -- it says no more
        """The body of an error status."""
        return msgspec.json.encode({"message": message, "__type": code or "InternalServerException"})


class _Count(msgspec.Struct, rename="camel"):
    input_tokens: Count


DIALECT: Called = BedrockConverse()
